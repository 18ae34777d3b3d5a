"""Training configs for LLaMA-Factory: the paper's two stages for each base model of models.toml.

Stage 1 goes once over the exported data with a constant learning rate. Stage 2 goes on from its result with instruction data
of the user's own, 700 steps, cosine. Both: 1,024 rows a step, 4,096 tokens a row, no warm-up. Checkpoints go beside the export
and never into it.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

from reexec.engine.errors import UsageError

BATCH = 1024
LENGTH = 4096
STAGE2_STEPS = 700
PER_DEVICE = 4
INSTRUCTION_DATA = "your_instruction_data"
DEEPSPEED = "ds_z3_config.json"
"""DeepSpeed's configuration, as the training configs name it. `auto`: the trainer fills in its own value."""
_DEEPSPEED = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "zero_allow_untested_optimizer": True,
    "bf16": {"enabled": "auto"},
    "zero_optimization": {
        "stage": 3,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_gather_16bit_weights_on_model_save": True,
    },
}
_MODELS = Path(__file__).with_name("models.toml")


def check_devices(devices: int) -> None:
    """Raises UsageError where the batch cannot be shared out."""
    if devices < 1 or BATCH % (devices * PER_DEVICE):
        raise UsageError(f"{devices} devices of {PER_DEVICE} rows: a batch of {BATCH} cannot be shared out among them")


def recipes(name: str, has_validation: bool, devices: int, digest: str) -> dict[str, str]:
    """File name to content. `name` begins the names in dataset_info.json; `digest` tells exports apart: the trainer goes on
    from checkpoints that it finds, and those of other rows would be the wrong ones."""
    files = {DEEPSPEED: json.dumps(_DEEPSPEED, indent=2) + "\n"}
    validation = f"{name}_validation" if has_validation else None
    for model_name, model in tomllib.loads(_MODELS.read_text(encoding="utf-8")).items():
        saves = f"../checkpoints/{name}-{digest}/{model_name}"
        files[f"{model_name}.stage1.yaml"] = _text(
            f"{model_name}.stage1.yaml",
            f"Stage 1 of {model_name}: one epoch over the exported rows.",
            model,
            devices,
            model_name_or_path=model["path"],
            dataset=f"{name}_train",
            eval_dataset=validation,
            output_dir=f"{saves}/stage1",
            learning_rate=model["stage1"],
            num_train_epochs=1.0,
            lr_scheduler_type="constant",
        )
        files[f"{model_name}.stage2.yaml"] = _text(
            f"{model_name}.stage2.yaml",
            f"Stage 2 of {model_name}: instruction data. Describe yours in dataset_info.json as `{INSTRUCTION_DATA}`.",
            model,
            devices,
            model_name_or_path=f"{saves}/stage1",
            dataset=INSTRUCTION_DATA,
            eval_dataset=None,
            output_dir=f"{saves}/stage2",
            learning_rate=model["stage2"],
            max_steps=STAGE2_STEPS,
            lr_scheduler_type="cosine_with_min_lr",
            # Not min_lr: under ZeRO-3 transformers 5 divides it by a learning rate that is not there yet.
            lr_scheduler_kwargs={"min_lr_rate": model["stage2_least"] / model["stage2"]},
        )
    return files


def _text(file: str, title: str, model: dict[str, Any], devices: int, **own: Any) -> str:
    steps = BATCH // (devices * PER_DEVICE)
    validation = own.pop("eval_dataset")
    fields: dict[str, Any] = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "deepspeed": DEEPSPEED,
        **({"trust_remote_code": True} if model.get("trust_remote_code") else {}),
        "template": model["template"],
        "dataset_dir": ".",
        "cutoff_len": LENGTH,
        "per_device_train_batch_size": PER_DEVICE,
        "gradient_accumulation_steps": steps,
        "warmup_steps": 0,
        "bf16": True,
        "logging_steps": 10,
        "save_steps": 500,
        "plot_loss": True,
        **own,
    }
    if validation:
        fields.update(eval_dataset=validation, eval_strategy="steps", eval_steps=100, per_device_eval_batch_size=PER_DEVICE)
    head = [
        f"# {title}",
        f"# {devices} devices x {PER_DEVICE} rows x {steps} steps of accumulation = {BATCH} rows a step.",
        "# Start it in this folder:",
        f"#     FORCE_TORCHRUN=1 llamafactory-cli train {file}",
        "# Parsed by LLaMA-Factory 0.9.5. DeepSpeed 0.10 to 0.18.4 (pip install 'deepspeed>=0.10,<=0.18.4').",
        *(f"# {line}" for line in model.get("notes", [])),
    ]
    return "\n".join(head) + "\n" + str(yaml.safe_dump(fields, sort_keys=False, width=120))
