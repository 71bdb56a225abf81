"""A demonstration: invented articles, annotations on them and a training run, stored as real ones would be."""
