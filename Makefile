# `make run` and `make test` are all one needs; both begin with `make setup`.
# FIMBLE_MODEL_DIR and FIMBLE_CACHE_DIR are respected. PYTHON names the interpreter for .venv.

.POSIX:
.PHONY: setup run test check fix vsix media peer clean

BIN = .venv/bin
READY = .venv/.ready

setup: $(READY)

$(READY): pyproject.toml scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup
	@touch $(READY)

# See the real server complete real files; fetches the model (491 MB) the first time.
run: setup
	@$(BIN)/fimble demo

# Check everything: format, lint, types, all tests; fetches the model the first time.
test: setup
	@$(BIN)/fimble models pull
	@scripts/check

# The same without the tests that need the model or install the wheel.
check: setup
	@scripts/check --quick

# Mend what a machine can mend.
fix: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python scripts/readme.py
	@$(BIN)/python scripts/vscode.py

# Pack the VS Code extension; prints where it is.
vsix: setup
	@scripts/vsix

# Record the editors with the real model, for the README.
media: setup
	@$(BIN)/fimble models pull
	@$(BIN)/python -m pytest -q -k "recording or light_bulb" tests/editors
	@mkdir -p editors/media
	@cp build/media/* editors/media/

# Build llama-server for `fimble bench peer`; prints where it is.
peer: setup
	@scripts/peer

# Forget everything that was made here; models stay where they are.
clean:
	rm -rf .venv .peer .editors .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	rm -rf editors/vscode/node_modules editors/vscode/dist editors/vscode/build editors/vscode/server
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
