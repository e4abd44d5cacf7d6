"""The true architectures of published image-text models, small and untrained, saved as they are."""

import json

PIECES = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"]


def gemma_tokenizer():
    """SigLIP 2's tokenizer, with a letter a piece: it ends a text, and gives no attention mask."""
    from transformers import GemmaTokenizerFast

    pieces = PIECES + [chr(code) for code in range(33, 127)] + [f"<0x{b:02X}>" for b in range(256)]
    return GemmaTokenizerFast(
        vocab={piece: place for place, piece in enumerate(pieces)},
        merges=[],
        model_max_length=64,
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_input_names=["input_ids"],
    )


def save_tiny_siglip(folder):
    """Save SigLIP 2 at a fixed resolution as google/siglip2-base-patch16-224 is: transformers'."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    torch.manual_seed(0)
    tokenizer = gemma_tokenizer()
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 2}
    config = SiglipConfig(
        text_config=small | {"vocab_size": len(tokenizer), "max_position_embeddings": 64},
        vision_config=small | {"image_size": 32, "patch_size": 16},
    )
    SiglipModel(config).save_pretrained(folder)
    processor = SiglipImageProcessor(size={"height": 32, "width": 32})
    SiglipProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


NATIVE = {  # as LAION's ViTs are: both towers open_clip's own, CLIP's tokenizer
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
SIGLIP = {  # as Marqo-FashionSigLIP is: timm's ViT with a map head, a tokenizer from the hub
    "embed_dim": 64,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 160, "timm_model_name": "test_vit", "timm_model_pretrained": False,
        "timm_pool": "map", "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 64, "vocab_size": 400, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"}, "width": 64, "heads": 2, "layers": 2,
        "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": "tanh"},
    },
}  # fmt: skip
MOBILECLIP2_S0 = {  # its true tower for pictures, at 64 pixels; a narrower one for text
    "embed_dim": 512,
    "vision_cfg": {
        "timm_model_name": "fastvit_mci0", "timm_model_pretrained": False, "timm_pool": "avg",
        "timm_proj": None, "timm_drop": 0.0, "timm_drop_path": 0.0, "image_size": 64,
    },
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2,
        "no_causal_mask": True,
    },
    "custom_text": True,
}  # fmt: skip
OPEN_CLIP = {"ViT": NATIVE, "SigLIP": SIGLIP, "MobileCLIP2-S0": MOBILECLIP2_S0}
PREPROCESSING = {
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic",
    "resize_mode": "squash",
}  # fmt: skip


def write_open_clip_settings(folder, model_cfg, preprocess_cfg=PREPROCESSING):
    settings = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(settings))


def save_open_clip(folder, name, seed=0):
    """Save a network as open_clip's push_to_hf_hub does."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    settings = json.loads(json.dumps(OPEN_CLIP[name]))
    custom = settings.pop("custom_text", False)
    torch.manual_seed(seed)
    build = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    network = build(**settings)
    write_open_clip_settings(folder, OPEN_CLIP[name])
    if "hf_tokenizer_name" in settings["text_cfg"]:
        gemma_tokenizer().save_pretrained(folder)
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder
