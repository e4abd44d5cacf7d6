"""Search in Chinese, where a browser splits the query into words as jieba has split the pages.

Sphinx leaves a Chinese query whole, so that only single words are found, and in 9.0 its Chinese
pages name a stemmer that does not exist (English words are stemmed by the English one).
"""

from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese


class SearchChineseWords(SearchChinese):
    language_name = "English"  # that of the stemmer
    js_splitter_code = """
var splitQuery = (query) =>
  [...new Intl.Segmenter("zh", { granularity: "word" }).segment(query)]
    .filter((part) => part.isWordLike && part.segment.length > 1)
    .map((part) => part.segment);
"""


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(SearchChineseWords)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
