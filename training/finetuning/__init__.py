"""Fine-tuning of an encoder with linear heads on annotated paragraphs. Needs the extra `finetune`."""
