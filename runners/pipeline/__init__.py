"""The pipeline: all stages over one folder, from raw code (or responses, or functions) to training rows.

config   what a run is: a TOML file, checked, with paths from where the file lies
plan     the stages of a config in their order: which files they read and make, what decides their result
stages   how each stage is called
record   pipeline.json, the folder's memory: what was made, of what, with what result
runner   does what is missing or changed
funnel   how many were left after each stage
"""
