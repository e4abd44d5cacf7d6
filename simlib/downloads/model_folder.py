"""What a folder with a model may hold before anything in it is opened: no way to run code.

A sentence-transformers folder is more than weights: its settings name classes, files and
repositories, and become arguments of loaders, one of which (``weights_only``) decides whether a
pickle may run code. So a folder is held against lists of what is allowed, made from what the
loaders of sentence-transformers 6 and transformers 5 read:

- files by name: weights are safetensors; nothing else that is opened may be a pickle or a program;
- modules by class: the stock ones of sentence-transformers;
- networks by ``model_type``: the towers of image-text models, and the text encoders beside them;
- settings by what they can say: numbers and flags tune a network that is on the list, but a string
  or a nested table can name something to load, so each needs its key on a list.

The same holds for a folder in open_clip's format, whose ``open_clip_config.json`` names the towers.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LARGEST_SETTINGS = 8 * 2**20
MOST_LAYERS = 1_000
LARGEST_NUMBER = 100_000_000
"""In ``config.json``; sizes beyond it would fill the memory."""

OPEN_CLIP_SETTINGS, OPEN_CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
LARGEST_PICTURE = 4_096
"""In pixels: the side of the square that a network of open_clip's reads."""

_WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_VOCABULARIES = {
    "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer.model",
}  # fmt: skip
_NEVER_READ = {
    "README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "data_config.json", "commit",
}  # fmt: skip

_MODULES = re.compile(
    r"sentence_transformers\.(models|base\.modules|sentence_transformer\.modules)(\.[a-z_]+)?\."
    r"(Transformer|CLIPModel|Pooling|Dense|Normalize|Router|LayerNorm|Dropout)"
)
_NETWORKS = {
    "albert", "align", "altclip", "bert", "camembert", "chinese_clip", "clip", "deberta-v2",
    "distilbert", "electra", "mpnet", "roberta", "siglip", "siglip2", "timm_wrapper", "vit",
    "vit_msn", "xlm-roberta",
}  # fmt: skip
_TOWERS = re.compile(r"(align|altclip|chinese_clip|clip|siglip2?)_(text|vision)_model")

# Arguments of the loaders that are numbers or flags; nothing in a folder may set them.
_LOADERS = {
    "allow_all_kernels", "force_download", "from_flax", "from_tf", "ignore_mismatched_sizes",
    "low_cpu_mem_usage", "pretrained", "trust_remote_code", "use_auth_token", "use_kernels",
    "use_pretrained_backbone", "use_safetensors", "use_timm_backbone", "weights_only",
}  # fmt: skip

_Strings = Mapping[str, str]
_Nested = Mapping[str, Callable[[Any], None]]

_WORD, _ANY = r"[\w-]{1,64}", r"[^\0]{0,500}"
_DTYPE = r"(torch\.)?(auto|float32|float16|bfloat16)"
_ATTENTION = r"eager|sdpa"
_TOKENIZERS = (
    r"(CLIP|Bert|DistilBert|Roberta|XLMRoberta|MPNet|Albert|Camembert|DebertaV2|Electra|T5|Gemma"
    r"|Siglip2?)Tokenizer(Fast)?|PreTrainedTokenizerFast|TokenizersBackend"
)
_IMAGE_PROCESSORS = (
    r"(CLIP|ChineseCLIP|ViT|DeiT|Siglip|Siglip2|Bit|Blip|EfficientNet|ConvNext|TimmWrapper)"
    r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?"
)
_PROCESSORS = r"(CLIP|ChineseCLIP|AltCLIP|Align|Siglip|Siglip2)Processor"
_ACTIVATIONS = (
    r"torch\.nn(\.modules\.(activation|linear))?\.(Identity|Tanh|ReLU|GELU|SiLU|Sigmoid|Softmax"
    r"|LeakyReLU|ELU|Mish|Hardswish)"
)


def require_safe_model(folder: Path) -> None:
    """Raise a ValueError unless a folder holds a model that can be opened without running code.

    Nothing is imported or unpickled for that; only settings (JSON) are read.

    Parameters
    ----------
    folder : pathlib.Path
        As ``SentenceTransformer.save`` writes it, or a checkpoint of transformers.

    Raises
    ------
    ValueError
        With what in it is not allowed, or can't be read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    >>> require_safe_model(folder)
    Traceback (most recent call last):
    ValueError: The model folder ... was not opened: it holds 'pytorch_model.bin', ...
    """
    try:
        for path in _files(folder, folder):
            if check := _SETTINGS.get(path.name):
                _in_file(path, folder, check)
        _check_modules(folder)
    except (ValueError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")[:400] or type(error).__name__
        raise ValueError(
            f"The model folder {folder} was not opened: {reason}. simlib opens models whose "
            "weights are safetensors and whose settings name only stock parts of "
            "sentence-transformers and transformers, so that no model can run code."
        ) from error


def require_safe_open_clip(folder: Path) -> None:
    """Raise a ValueError unless a folder in open_clip's format can be opened without running code.

    Besides what :func:`require_safe_model` demands of every file, the towers must be open_clip's
    own, or one of timm's for pictures: a text tower by its name on the hub would be fetched.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "open_clip_config.json").write_text('{"model_cfg": {"text_cfg": {}}}')
    >>> require_safe_open_clip(folder)
    Traceback (most recent call last):
    ValueError: The model folder ... was not opened: it has no 'open_clip_model.safetensors' ...
    """
    try:
        for path in _files(folder, folder):
            if check := _SETTINGS.get(path.name):
                _in_file(path, folder, check)
        if not (folder / OPEN_CLIP_WEIGHTS).is_file():
            raise ValueError(f"it has no {OPEN_CLIP_WEIGHTS!r}")
    except (ValueError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")[:400] or type(error).__name__
        raise ValueError(
            f"The model folder {folder} was not opened: {reason}. simlib opens models of "
            "open_clip's whose weights are safetensors and whose towers are open_clip's own or "
            "timm's, so that no model can run code."
        ) from error


def is_model_file(name: str) -> bool:
    """Return whether a file of this name is part of a model.

    Examples
    --------
    >>> is_model_file("model.safetensors"), is_model_file("pytorch_model.bin")
    (True, False)
    """
    return is_vocabulary_file(name) or name in _SETTINGS or bool(_WEIGHTS.fullmatch(name))


def is_open_clip_file(name: str) -> bool:
    """Return whether open_clip reads a file of this name.

    Examples
    --------
    >>> is_open_clip_file("tokenizer.json"), is_open_clip_file("config.json")
    (True, False)
    """
    return is_vocabulary_file(name) or name in (OPEN_CLIP_SETTINGS, OPEN_CLIP_WEIGHTS)


def is_vocabulary_file(name: str) -> bool:
    """Return whether a file of this name is part of a tokenizer."""
    return name in _VOCABULARIES or name in _TOKENIZER_SETTINGS


def _files(folder: Path, root: Path) -> list[Path]:
    """Return the files below a folder; refuse whatever has no business there.

    Hidden ones are left out: no loader reads them, and no setting may name them.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        name = path.relative_to(root).as_posix()
        if path.is_symlink() and not _stays_inside(path, root):
            raise ValueError(f"{name!r} is a symlink out of the folder")
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if path.is_symlink():
                raise ValueError(f"{name!r} is a symlink to a folder")
            found += _files(path, root)
        elif not stat.S_ISREG(mode):
            raise ValueError(f"{name!r} is neither a file nor a folder")
        elif not (
            is_model_file(path.name) or is_open_clip_file(path.name) or path.name in _NEVER_READ
        ):
            raise ValueError(
                f"it holds {name!r}, which is no part of a model that simlib opens (remove it if "
                "'model.safetensors' lies beside it)"
            )
        else:
            found.append(path)
    return found


def _stays_inside(link: Path, root: Path) -> bool:
    target, root = link.resolve(), root.resolve()
    # The hub's cache keeps contents in "blobs" and, by commit, links to them in "snapshots".
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else root
    return target.is_relative_to(root) or target.is_relative_to(blobs)


def _in_file(path: Path, root: Path, check: Callable[[Any], None]) -> Any:
    name = path.relative_to(root).as_posix()
    try:
        if path.stat().st_size > LARGEST_SETTINGS:
            raise ValueError("it is too large for settings")
        settings = json.loads(path.read_bytes().decode("utf-8"))
        check(settings)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"in {name!r} {error}") from error
    except (TypeError, AttributeError) as error:  # a table where a list is expected, or so
        raise ValueError(f"{name!r} does not hold settings of the known form") from error
    return settings


def _check_modules(root: Path) -> None:
    """Check that the modules are stock ones, and that each network says which one it is."""
    modules = root / "modules.json"
    if not modules.is_file():
        return _check_network_folder(root, root)
    for module in _in_file(modules, root, _check_module_list):
        _check_module(root, module.get("path", ""), module["type"])


def _check_module(root: Path, place: str, kind: str) -> None:
    folder, name = root / place, kind.rpartition(".")[2]
    if name in ("Transformer", "CLIPModel"):
        _check_network_folder(folder, root)
    elif name == "Router":
        settings = _in_file(folder / "router_config.json", root, _check_router)
        for part, part_kind in settings["types"].items():
            _check_module(root, f"{place}/{part}" if place else part, part_kind)


def _check_network_folder(folder: Path, root: Path) -> None:
    settings = _in_file(folder / "config.json", root, _check_config)
    if "model_type" not in settings:  # transformers would guess it from the folder's name
        raise ValueError(f"{(folder / 'config.json').relative_to(root).as_posix()!r} names no "
                         "'model_type'")  # fmt: skip


def _check_module_list(modules: Any) -> None:
    if not isinstance(modules, list) or not modules:
        raise ValueError("a list of modules is expected")
    for module in modules:
        _check(module, {
            "name": _WORD, "path": r"|[\w-][\w.-]*", "type": _MODULES.pattern, "kwargs": _WORD,
        })  # fmt: skip
        if not isinstance(module.get("type"), str) or not isinstance(module.get("path", ""), str):
            raise ValueError("a module has no class or no folder")


def _check_router(settings: Any) -> None:
    def check_types(types: Any) -> None:
        if not isinstance(types, dict) or not types:
            raise ValueError("a table of modules is expected")
        for place, kind in types.items():
            if not re.fullmatch(r"[\w-][\w.-]*", place):
                raise ValueError(f"the folder {_shown(place)} is not allowed")
            if not isinstance(kind, str) or not _MODULES.fullmatch(kind):
                raise ValueError(f"the class {_shown(kind)} is not a stock module")

    def check_structure(structure: Any) -> None:
        _check(structure, dict.fromkeys(structure, r"[\w-][\w.-]*"))

    def check_mappings(mappings: Any) -> None:
        for key in mappings:
            if not re.fullmatch(r"\((None|'\w+'), (None|'\w+'|\(('\w+'(, )?)+\))\)", key):
                raise ValueError(f"the route {_shown(key)} is not allowed")
        _check(mappings, dict.fromkeys(mappings, _WORD))

    def check_parameters(parameters: Any) -> None:
        _check(parameters, {"default_route": _WORD}, {"route_mappings": check_mappings})

    _check(settings, {}, {
        "types": check_types, "structure": check_structure, "parameters": check_parameters,
    })  # fmt: skip
    if not isinstance(settings.get("types"), dict):
        raise ValueError("a table of modules is expected")


def _check(settings: Any, strings: _Strings, nested: _Nested | None = None) -> None:
    """Refuse settings that hold anything but numbers, flags and what these two tables allow."""
    if not isinstance(settings, dict):
        raise ValueError(f"a table is expected, not {_shown(settings)}")
    for key, value in settings.items():
        if key in _LOADERS:
            raise ValueError(f"{_shown(key)} would steer the loader")
        if _is_plain(value):
            continue
        if check := (nested or {}).get(key):
            check(value)
        else:
            words = value if isinstance(value, list) else [value]
            pattern = strings.get(key)
            if pattern is None or not all(
                isinstance(word, str) and re.fullmatch(pattern, word) for word in words
            ):
                raise ValueError(f"{_shown(key)} may not be {_shown(value)}")


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number, a flag, nothing, or a list of these."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float)) or value in ("", {})


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:80]}…"


def _check_config(settings: Any) -> None:
    """Check ``config.json``, of a network or of another stock module."""
    if isinstance(settings, dict) and "model_type" in settings:
        return _check_network(settings)
    _check(settings, {
        "activation_function": _ACTIVATIONS, "module_input_name": _WORD,
        "module_output_name": _WORD, "pooling_mode": _WORD,
    })  # fmt: skip


def _check_network(settings: Any) -> None:
    _check(
        settings,
        {
            "architectures": _WORD, "attn_implementation": _ATTENTION,
            "_attn_implementation": _ATTENTION, "dtype": _DTYPE, "torch_dtype": _DTYPE,
            "hidden_act": _WORD, "hidden_activation": _WORD, "projection_hidden_act": _WORD,
            "classifier_activation": _WORD, "_name_or_path": _ANY, "pos_att_type": _WORD,
            "position_embedding_type": _WORD, "problem_type": _WORD, "summary_activation": _WORD,
            "summary_type": _WORD, "norm_rel_ebd": _WORD, "pooler_hidden_act": _WORD,
            "tokenizer_class": _TOKENIZERS, "transformers_version": r"[\w.+-]{1,64}",
            "model_type": "|".join([*_NETWORKS, _TOWERS.pattern]), "label_names": _ANY,
            "architecture": _TIMM_NAME,
        },
        {
            "text_config": _check_network, "vision_config": _check_network,
            "text_config_dict": _check_network, "vision_config_dict": _check_network,
            "id2label": _check_texts, "label2id": _check_texts, "label_descriptions": _check_texts,
            "pretrained_cfg": _check_timm, "rope_parameters": _check_rope,
            "rope_scaling": _check_rope,
        },
    )  # fmt: skip
    _check_sizes(settings)


def _check_sizes(settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                most = MOST_LAYERS if key.endswith("layers") else LARGEST_NUMBER
                if not abs(number) <= most:
                    raise ValueError(f"{_shown(key)} is {_shown(value)}, which is too much")


def _check_timm(settings: Any) -> None:
    words = ("interpolation", "crop_mode", "tag", "pool", "classifier", "first_conv")
    _check(settings, dict.fromkeys(words, r"[\w.-]{1,64}"))


def _check_rope(settings: Any) -> None:
    _check(settings, {"rope_type": _WORD, "type": _WORD})


def _check_texts(settings: Any) -> None:
    _check(settings, dict.fromkeys(settings, _ANY))


def _check_transformer(settings: Any) -> None:
    """Check ``sentence_bert_config.json``: arguments of sentence-transformers' ``Transformer``."""

    def check_modalities(modalities: Any) -> None:
        _check(modalities, {}, dict.fromkeys(modalities, check_modality))

    def check_modality(modality: Any) -> None:
        _check(modality, {
            # A method of the network, which sentence-transformers will call.
            "method": r"forward|get_(text|image|multimodal)_features",
            "method_output_name": _WORD, "format": r"structured|flat",
        })  # fmt: skip

    def check_model(arguments: Any) -> None:
        _check(arguments, {
            "attn_implementation": _ATTENTION, "dtype": _DTYPE, "torch_dtype": _DTYPE,
        })  # fmt: skip

    def check_processor(arguments: Any) -> None:
        _check(arguments, {"padding_side": _WORD, "truncation_side": _WORD})

    _only(settings, {
        "max_seq_length", "do_lower_case", "transformer_task", "modality_config", "unpad_inputs",
        "module_output_name", "model_args", "model_kwargs", "tokenizer_args", "processor_kwargs",
        "config_args", "config_kwargs",
    })  # fmt: skip
    _check(
        settings,
        {"transformer_task": "feature-extraction", "module_output_name": _WORD},
        {
            "modality_config": check_modalities,
            "model_args": check_model, "model_kwargs": check_model,
            "tokenizer_args": check_processor, "processor_kwargs": check_processor,
        },
    )  # fmt: skip


def _only(settings: Any, keys: set[str]) -> None:
    if isinstance(settings, dict) and (unknown := sorted(set(settings) - keys)):
        raise ValueError(f"{_shown(unknown[0])} is not known")


def _check_sentence_transformer(settings: Any) -> None:
    _only(settings, {
        "__version__", "prompts", "default_prompt_name", "similarity_fn_name", "model_type",
        "truncate_dim",
    })  # fmt: skip
    _check(
        settings,
        {
            "default_prompt_name": _WORD, "model_type": "SentenceTransformer",
            "similarity_fn_name": r"cosine|dot|euclidean|manhattan",
        },
        {"__version__": _check_texts, "prompts": _check_texts},
    )  # fmt: skip


def _check_tokenizer(settings: Any) -> None:
    if not isinstance(settings, dict):
        raise ValueError(f"a table is expected, not {_shown(settings)}")
    tokens: dict[str, Callable[[Any], None]] = {
        key: _check_token for key in settings if key.endswith("_token")
    }
    _check(
        settings,
        dict.fromkeys(tokens, _ANY)
        | {
            "tokenizer_class": _TOKENIZERS, "processor_class": _PROCESSORS,
            "padding_side": _WORD, "truncation_side": _WORD, "truncation_strategy": _WORD,
            "padding": _WORD, "errors": r"replace|strict|ignore", "backend": "tokenizers",
            "model_input_names": _WORD,
            "name_or_path": _ANY, "special_tokens_map_file": _ANY,  # notes, which nobody follows
        },
        dict.fromkeys(("additional_special_tokens", "extra_special_tokens"), _check_tokens)
        | {"added_tokens_decoder": _check_tokens}
        | tokens,
    )  # fmt: skip


def _check_tokens(tokens: Any) -> None:
    for token in tokens.values() if isinstance(tokens, dict) else tokens:
        _check_token(token)


def _check_token(token: Any) -> None:
    if not isinstance(token, (str, int)):
        _check(token, {"content": _ANY, "__type": "AddedToken"})


def _check_processor(settings: Any) -> None:
    numbers = dict.fromkeys(("size", "crop_size", "pad_size"), lambda sizes: _check(sizes, {}))
    _check(
        settings,
        {
            "image_processor_type": _IMAGE_PROCESSORS, "feature_extractor_type": _IMAGE_PROCESSORS,
            "processor_class": _PROCESSORS, "tokenizer_class": _TOKENIZERS, "data_format": _WORD,
            "input_data_format": _WORD, "_valid_processor_keys": _WORD,
        },
        numbers | {"image_processor": _check_processor, "pretrained_cfg": _check_timm},
    )  # fmt: skip


def _check_shards(settings: Any) -> None:
    def check_files(files: Any) -> None:
        _check(files, dict.fromkeys(files, _WEIGHTS.pattern))

    _check(settings, {}, {"weight_map": check_files, "metadata": lambda notes: _check(notes, {})})


def _check_open_clip(settings: Any) -> None:
    """Check ``open_clip_config.json``: arguments of open_clip's networks and preprocessing."""
    _only(settings, {"model_cfg", "preprocess_cfg"})
    _check(settings, {}, {"model_cfg": _check_towers, "preprocess_cfg": _check_preprocessing})
    if not isinstance(settings.get("model_cfg"), dict):
        raise ValueError("a table 'model_cfg' is expected")


def _check_towers(settings: Any) -> None:
    _only(settings, {
        "embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale",
        "init_logit_bias", "nonscalar_logit_scale",
    })  # fmt: skip
    _check(settings, {}, {"vision_cfg": _check_picture_tower, "text_cfg": _check_text_tower})
    _check_sizes(settings)
    for tower in ("vision_cfg", "text_cfg"):
        if not isinstance(settings.get(tower), dict):
            raise ValueError(f"a table {tower!r} is expected")


_LAYERS = {
    "layers", "width", "mlp_ratio", "ls_init_value", "final_ln_after_pool", "pool_type",
    "act_kwargs", "norm_kwargs", "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads",
    "scale_attn_inner", "scale_attn", "scale_fc",
}  # fmt: skip


def _check_picture_tower(settings: Any) -> None:
    _only(settings, _LAYERS | {
        "head_width", "patch_size", "image_size", "patch_dropout", "attentional_pool",
        "attn_pooler_queries", "attn_pooler_heads", "no_ln_pre", "pos_embed_type",
        "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias",
        "timm_drop", "timm_drop_path",
    })  # fmt: skip
    words = dict.fromkeys(
        ("pool_type", "block_type", "pos_embed_type", "timm_pool", "timm_proj"), _WORD
    )
    _check(settings, words | {"timm_model_name": _TIMM_NAME}, _ACTIVATION_AND_NORM)
    _check_sizes(settings)
    _check_picture_size(settings.get("image_size"))


def _check_text_tower(settings: Any) -> None:
    def check_tokenizer(arguments: Any) -> None:
        # The others would become arguments of a tokenizer's loader.
        _only(arguments, {"clean", "strip_sep_token"})
        _check(arguments, {"clean": r"canonicalize|lower|whitespace"})

    _only(settings, _LAYERS | {
        "context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs",
        "heads", "embed_cls", "pad_id", "eos_id", "no_causal_mask", "proj_bias", "proj_type",
    })  # fmt: skip
    _check(
        settings,
        {
            "hf_tokenizer_name": _ANY,  # only its presence counts: the tokenizer is the folder's
            "tokenizer_mode": "clips",
            **dict.fromkeys(("pool_type", "block_type", "proj_type"), _WORD),
        },
        _ACTIVATION_AND_NORM | {"tokenizer_kwargs": check_tokenizer},
    )
    _check_sizes(settings)


def _check_preprocessing(settings: Any) -> None:
    _only(settings, {
        "size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color",
    })  # fmt: skip
    _check(settings, {
        "mode": "RGB", "interpolation": "bicubic|bilinear|random",
        "resize_mode": "shortest|longest|squash",
    })  # fmt: skip
    _check_picture_size(settings.get("size"))


def _check_picture_size(size: Any) -> None:
    for side in size if isinstance(size, list) else [size]:
        if side is not None and not (isinstance(side, int) and 0 < side <= LARGEST_PICTURE):
            raise ValueError(f"a picture of {_shown(size)} pixels is not expected")


_TIMM_NAME = r"[a-z0-9_]+(\.[a-z0-9_]+)?"
"""A plain name of timm's: ``hf-hub:`` and ``local-dir:`` would fetch and open others."""

_ACTIVATION_AND_NORM: dict[str, Callable[[Any], None]] = {
    "act_kwargs": lambda arguments: _check(arguments, {"approximate": "tanh|none"}),
    "norm_kwargs": lambda arguments: _check(arguments, {}),
}

_TOKENIZER_SETTINGS: dict[str, Callable[[Any], None]] = {
    "tokenizer_config.json": _check_tokenizer,
    "special_tokens_map.json": _check_tokens,
    "added_tokens.json": _check_tokens,
}
_SETTINGS: dict[str, Callable[[Any], None]] = {
    OPEN_CLIP_SETTINGS: _check_open_clip,
    **_TOKENIZER_SETTINGS,
    "config.json": _check_config,
    "modules.json": _check_module_list,
    "router_config.json": _check_router,
    "config_sentence_transformers.json": _check_sentence_transformer,
    **{
        f"sentence_{kind}_config.json": _check_transformer
        for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
    },
    "preprocessor_config.json": _check_processor,
    "processor_config.json": _check_processor,
    "model.safetensors.index.json": _check_shards,
}
