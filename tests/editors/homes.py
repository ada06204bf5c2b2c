"""What the homes of new users share, because it takes long to get."""

from fimble.models.files import make_directory
from fimble.models.profile import cache_directory
from fimble.models.store import model_directory


def own_fimble(cache):
    """The environment of a Fimble with an empty cache, ``cache``, yet with what takes long.

    The models are those of this machine: to a user with a data directory of their own each server
    would download them. What was measured of the machine serves all tests, and is measured once.
    """
    measured = cache_directory() / "profiles"
    make_directory(measured)
    make_directory(cache)
    (cache / "profiles").symlink_to(measured)
    return {"FIMBLE_MODEL_DIR": str(model_directory()), "FIMBLE_CACHE_DIR": str(cache)}
