"""The pooled executor and what it judges with: program, call and check in; outcome and verdict out."""
