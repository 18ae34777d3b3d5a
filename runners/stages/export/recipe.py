"""Training configs for LLaMA-Factory: the paper's two stages for each base model of models.toml.

Stage 1 goes once over the exported data with a constant learning rate. Stage 2 goes on from its result with instruction data
of the user's own, 700 steps, cosine. Both: 1,024 rows a step, 4,096 tokens a row, no warm-up.
"""

import tomllib
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

BATCH = 1024
LENGTH = 4096
STAGE2_STEPS = 700
PER_DEVICE = 4
INSTRUCTION_DATA = "your_instruction_data"
_MODELS = Path(__file__).with_name("models.toml")


def check_devices(devices: int) -> None:
    """Raises UsageError where the batch cannot be shared out."""
    if devices < 1 or BATCH % (devices * PER_DEVICE):
        raise UsageError(f"{devices} devices of {PER_DEVICE} rows: a batch of {BATCH} cannot be shared out among them")


def recipes(train: str, validation: str | None, devices: int) -> dict[str, str]:
    """File name to content. `train` and `validation` are names in dataset_info.json."""
    files = {}
    for name, model in tomllib.loads(_MODELS.read_text(encoding="utf-8")).items():
        stage1 = f"saves/{name}/stage1"
        files[f"{name}.stage1.yaml"] = _text(
            f"Stage 1 of {name}: one epoch over the exported rows.",
            model,
            devices,
            model_name_or_path=model["path"],
            dataset=train,
            eval_dataset=validation,
            output_dir=stage1,
            learning_rate=model["stage1"],
            num_train_epochs=1.0,
            lr_scheduler_type="constant",
        )
        files[f"{name}.stage2.yaml"] = _text(
            f"Stage 2 of {name}: instruction data. Describe yours in dataset_info.json as `{INSTRUCTION_DATA}`.",
            model,
            devices,
            model_name_or_path=stage1,
            dataset=INSTRUCTION_DATA,
            eval_dataset=None,
            output_dir=f"saves/{name}/stage2",
            learning_rate=model["stage2"],
            max_steps=STAGE2_STEPS,
            lr_scheduler_type="cosine_with_min_lr",
            lr_scheduler_kwargs={"min_lr": model["stage2_least"]},
        )
    return files


def _text(title: str, model: dict[str, Any], devices: int, **own: Any) -> str:
    steps = BATCH // (devices * PER_DEVICE)
    validation = own.pop("eval_dataset")
    fields: dict[str, Any] = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "deepspeed": "examples/deepspeed/ds_z3_config.json",
        "trust_remote_code": True,
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
        f"# {devices} devices x {PER_DEVICE} rows x {steps} steps of accumulation = {BATCH} rows a step. Start it in this",
        "# folder; the deepspeed file is one of LLaMA-Factory's own, give its path.",
    ]
    return "\n".join([*head, *(line for name, value in fields.items() for line in _lines(name, value))]) + "\n"


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}:", *(f"  {line}" for key, inner in value.items() for line in _lines(key, inner))]
    if isinstance(value, bool):
        return [f"{name}: {str(value).lower()}"]
    if isinstance(value, float):  # YAML 1.1 reads 1e-05 as a text: a number needs its point
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return [f"{name}: {value}" if 0.1 <= value < 1000 else f"{name}: {mantissa}e{int(exponent)}"]
    return [f"{name}: {value}"]
