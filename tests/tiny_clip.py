"""CLIP's true architecture, small and untrained, saved as clip-ViT-B-32 is: two towers."""

import json


def save_tiny_clip(parts, folder):
    """Save the model in ``folder``; ``parts`` takes what is needed on the way."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizerFast,
    )

    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = letters + [letter + "</w>" for letter in letters]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    vocabulary |= {"<|startoftext|>": len(pieces), "<|endoftext|>": len(pieces) + 1}
    Tokenizer(models.BPE(vocabulary, [])).save(str(parts / "raw.json"))
    (parts / "vocab.json").write_text(json.dumps(vocabulary))
    (parts / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizerFast(
        vocab=str(parts / "vocab.json"), merges=str(parts / "merges.txt"), model_max_length=77
    )
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 2}
    text = small | {"vocab_size": len(vocabulary), "eos_token_id": len(pieces) + 1}
    config = CLIPConfig(
        text_config=text | {"bos_token_id": len(pieces), "pad_token_id": len(pieces) + 1},
        vision_config=small | {"image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    CLIPModel(config).save_pretrained(parts / "clip")
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    CLIPProcessor(processor, tokenizer).save_pretrained(parts / "clip")
    model = SentenceTransformer(modules=[Transformer(str(parts / "clip"))], device="cpu")
    model.save(str(folder), create_model_card=False)
    return folder
