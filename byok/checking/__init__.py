"""Finding out what a key may do, and saying so in sentences that lead on."""
