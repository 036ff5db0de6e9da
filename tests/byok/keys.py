"""Keys that could be real ones, and are not."""

KEYS = {
    "openrouter": "sk-or-v1-5f2c9be1d7a04417b3e6a8c0d2wxyz",
    "openai": "sk-proj-Hq7LmZ2nB4vC6xR8tY0uI3oP5aSwxyz",
    "anthropic": "sk-ant-api03-Gd8Kf2Lp9Qw4Er7Ty1Ui6Op3Aswxyz",
}
PLATFORM_KEY = "sk-proj-PLATFORMplatformPLATFORM0000"
