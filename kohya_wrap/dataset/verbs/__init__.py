"""What the Dataset Maker did, one module per verb; each changes files only through a step of the history."""
