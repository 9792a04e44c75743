"""What users write -> tasks: scikit-learn's estimators, folds and scorers."""
