"""How far bring-your-own-key has come, for the operators' page."""
