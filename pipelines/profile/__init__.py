"""A release to look at: counted (`figures`, `edges`), drawn (`plots`) and laid out (`page`)."""
