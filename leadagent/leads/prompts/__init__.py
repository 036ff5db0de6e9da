"""What the models are told: each organisation's own versions, or the product's defaults."""
