"""What byok adds to support's view of organisations: their configuration, their keys' states, their key use."""
