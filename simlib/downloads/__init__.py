"""Downloads: HTTP, archives, Kaggle and the Hugging Face hub."""
