"""VS Code in a browser: code-server, and a hand that types and looks, through Playwright."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from homes import own_fimble

CODE_SERVER = "code-server@4.139.1"
"""Has VS Code 1.139.1."""
START_SECONDS = 90
DEADLINE_MS = 40_000
BULB_MS = 3_000
VIEWPORT = {"width": 1000, "height": 640}

QUIET = {
    "workbench.startupEditor": "none",
    "security.workspace.trust.startupPrompt": "never",
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "workbench.enableExperiments": False,
    "chat.disableAIFeatures": True,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "git.enabled": False,
    "editor.inlineSuggest.enabled": True,
    # Exact text: the editor adds nothing of its own, and its list comes only when it is called.
    "editor.autoClosingBrackets": "never",
    "editor.quickSuggestions": False,
    "files.eol": "\n",
    "files.autoSave": "off",
}
OFFLINE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
GHOST = ".ghost-text-decoration, .ghost-text-decoration-preview, .ghost-text"
TOASTS = ".notifications-toasts .notification-list-item"
LIGHT_BULB = '[class*="codicon-gutter-lightbulb"], .lightBulbWidget'
WATCH = """([shown, ghosts]) => {
  const text = (selector) =>
    [...document.querySelectorAll(selector)].map((one) => one.textContent).join("");
  window.seen = [];
  const look = () => {
    const now = JSON.stringify([text(shown), text(ghosts)]);
    if (window.seen.at(-1) !== now) {
      window.seen.push(now);
    }
    window.watching = requestAnimationFrame(look);
  };
  look();
}"""
"""Notes each different frame: all text of the editor, and the ghost text in it."""
STATUS = '.statusbar-item:has-text("Fimble")'


def install_code_server(node, npm, folder):
    """Install code-server and what it leaves out into ``folder``; raises CalledProcessError."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "bin").mkdir(parents=True)
    # npm must run with this node, whatever other there is.
    (part / "bin" / "node").symlink_to(node)
    environment = os.environ | {"PATH": f"{part / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    inner = part / "node_modules" / "code-server" / "lib" / "vscode"
    for place, what in (
        (part, (CODE_SERVER,)),
        (inner, ("--omit=dev",)),
        (inner / "extensions", ("--omit=dev",)),
    ):
        command = (npm, "install", *quiet, *what)
        subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
    part.rename(folder)


MANIFEST = """
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="{name}" Version="{version}" Publisher="{publisher}"/>
    <DisplayName>{name}</DisplayName>
    <Description>{description}</Description>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/>
  </Assets>
</PackageManifest>
"""


def pack_extension(folder, file):
    """Pack a small extension of plain JavaScript, as VS Code wants it; return the package."""
    package = json.loads((folder / "package.json").read_text())
    with zipfile.ZipFile(file, "w") as vsix:
        vsix.writestr("extension.vsixmanifest", MANIFEST.format(**package).strip())
        for one in folder.iterdir():
            vsix.write(one, f"extension/{one.name}")
    return file


class CodeServer:
    """A code-server with one extension and a user of its own, below ``home``."""

    def __init__(self, node, installed, home):
        self._command = (node, installed / "node_modules" / "code-server" / "out" / "node/entry.js")
        self.home = home
        self.user_data = home / "user-data"
        self.workspace = home / "workspace"
        self.workspace.mkdir(parents=True)
        self.environment = os.environ | {
            "HOME": str(home),
            "EXTENSIONS_GALLERY": '{"serviceUrl":""}',
            "LINTER_PYTHON": sys.executable,
            **{f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "CACHE")},
            **own_fimble(home / "CACHE" / "fimble"),
        }
        self.trusts_all = True
        self._process = None
        self._folders = (f"--user-data-dir={self.user_data}", f"--extensions-dir={home / 'x'}")

    def configure(self, settings):
        """Write these settings for this machine, before the start.

        The window is a remote one, and there a program's path in the user's settings does not
        count: it would be a path of the machine with the browser.
        """
        user = QUIET | {"security.workspace.trust.enabled": not self.trusts_all}
        for folder, values in (("User", user), ("Machine", settings)):
            file = self.user_data / folder / "settings.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))

    def configure_server(self, model):
        """Write the user's fimble.toml, which the server reads when it starts."""
        file = self.home / "CONFIG" / "fimble" / "fimble.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'model = "{model}"\n')

    def install_extension(self, vsix):
        command = (*self._command, *self._folders, "--install-extension", vsix)
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def descendants(self, module):
        """All processes below this server that run this module of Python."""
        found = []
        for one in psutil.Process(self._process.pid).children(recursive=True):
            # Of one that has just ended there is no command line any more.
            with suppress(psutil.Error):
                found += [one] if module in one.cmdline() else []
        return found

    @contextmanager
    def running(self):
        """Serve on a free port; yields the address of the workspace."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ("--auth=none", f"--bind-addr=127.0.0.1:{port}", "--disable-telemetry")
        more = ["--disable-update-check"]
        if self.trusts_all:
            more.append("--disable-workspace-trust")
        with (self.home / "code-server.log").open("w") as log:
            process = self._process = subprocess.Popen(
                (*self._command, *self._folders, *options, *more),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}/?folder={quote(str(self.workspace))}"
        finally:
            # Its extension host would live on for hours.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  (our own)
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def plain(text):
    """Return text of the page with spaces as spaces."""
    return text.replace("\xa0", " ").replace("\u00b7", " ").replace("\u200c", "")


class Window:
    """VS Code's window: what a user does in it, and what stands in it."""

    def __init__(self, page, workspace):
        self.page = page
        self.workspace = workspace
        self.file = workspace
        page.set_default_timeout(DEADLINE_MS)

    # --- hands ------------------------------------------------------------------------------

    def open(self, name, text=""):
        """Write a file and open it, with the cursor at its end."""
        self.file = self.workspace / name
        self.file.write_text(text)
        self._open_file(name)
        self.page.locator(".monaco-editor.focused").first.wait_for()
        self.press("Control+End")

    def focus(self):
        """Put the keyboard back into the text, with the cursor at its end."""
        self.page.locator(".monaco-editor .view-lines").first.click()
        self.press("Control+End")

    def open_notebook(self, name, *cells):
        """Write a notebook of Python cells, open it, and put the cursor at the end of the last."""
        self.file = self.workspace / name
        python = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        notebook = {
            "cells": [python | {"source": cell.splitlines(keepends=True)} for cell in cells],
            "metadata": {"language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
        self.file.write_text(json.dumps(notebook))
        self._open_file(name)
        self.page.locator(".notebookOverlay .cell .view-lines").last.click()
        self.press("Control+End")

    def type(self, text):
        self.page.keyboard.type(text, delay=15)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, command):
        """Run a command of the palette by its title."""
        self.press("F1")
        self.page.locator(".quick-input-list .monaco-list-row").first.wait_for()
        self.page.keyboard.type(command)
        self._pick(command)

    def choose(self, label):
        """Choose an entry of the menu that is open."""
        self.page.keyboard.type(label)
        self._pick(label)

    def choose_action(self, title, picture):
        """Choose a code action from the menu of the light bulb."""
        rows = self.page.locator(".action-widget .monaco-list-row")
        self.until(lambda: self._open_light_bulb(rows, title), lambda: f"{title!r} is not offered")
        self.picture(picture)
        focused = self.page.locator(".action-widget .monaco-list-row.focused")
        for _ in range(rows.count()):
            if title in "".join(focused.all_text_contents()):
                break
            self.press("ArrowDown")
        # By keyboard: older versions close the menu under the mouse.
        self.press("Enter")

    def _open_light_bulb(self, rows, title):
        """Click on the light bulb; it may be one of where the cursor was before, yet."""
        bulb = self.page.locator(LIGHT_BULB).filter(visible=True)
        if not bulb.count():
            # After a menu was left, VS Code looks again only once the cursor has moved.
            self.press("ArrowRight", "ArrowLeft")
            with suppress(AssertionError):
                self.until(bulb.count, lambda: "there is no light bulb", BULB_MS)
            return False
        bulb.first.click()
        rows.first.wait_for()
        if rows.filter(has_text=title).count():
            return True
        self.press("Escape")
        return False

    def press_button(self, label):
        """Press a button of a notification."""
        self.page.get_by_role("button", name=label, exact=True).first.click()

    def click_status(self):
        self.page.locator(STATUS).first.click()

    def _open_file(self, name):
        self.press("Escape")
        # By the explorer: the package of code-server has no ripgrep to find files with.
        self.page.locator(".explorer-folders-view").get_by_text(name, exact=True).dblclick()
        self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        # A new editor suggests nothing before VS Code has had a moment to spare for that part.
        self.page.evaluate("new Promise(requestIdleCallback)")

    def _pick(self, label):
        # By keyboard: a row moves away under the mouse while the list is being filtered.
        row = self.page.locator(".quick-input-list .monaco-list-row.focused")
        row.filter(has_text=label).first.wait_for()
        self.press("Enter")

    # --- eyes -------------------------------------------------------------------------------

    def ghost(self):
        """The ghost text now, with spaces as spaces."""
        return plain("".join(self.page.locator(GHOST).all_text_contents()))

    @contextmanager
    def watched(self):
        """Yield a list that holds in the end what each frame showed: all text, and the ghost."""
        frames = []
        self.page.evaluate(WATCH, [".editor-instance .view-line", GHOST])
        yield frames
        self.page.evaluate("cancelAnimationFrame(window.watching)")
        seen = self.page.evaluate("window.seen")
        frames.extend(tuple(map(plain, json.loads(frame))) for frame in seen)

    def wait_for_ghost(self, text):
        self.until(
            lambda: self.ghost() == text, lambda: f"ghost text is {self.ghost()!r}: {self.why()}"
        )

    def any_ghost(self):
        """Wait for a suggestion, whatever it is, and return it."""
        self.until(self.ghost, self.why)
        return self.ghost()

    def wait_for_squiggle(self):
        """Wait until a linter has complained."""
        self.page.locator(".squiggly-error, .squiggly-warning").first.wait_for()

    def wait_for_status(self, text):
        """Wait for a text, or a pattern, in the status bar item."""
        self.page.locator(STATUS).filter(has_text=text).first.wait_for()

    def wait_for_icon(self, *icons, timeout=DEADLINE_MS):
        """Wait for the status bar item to have this icon, or one of these, of VS Code's."""
        items = (f'.statusbar-item:has(.codicon-{icon}):has-text("Fimble")' for icon in icons)
        self.page.locator(", ".join(items)).first.wait_for(timeout=timeout)

    def wait_until_ready(self, model, timeout=DEADLINE_MS):
        """Wait until the status bar item says that this model is ready."""
        label = f'[aria-label*="{model} is ready"]'
        item = f".statusbar-item{label}, .statusbar-item {label}"
        self.page.locator(item).first.wait_for(timeout=timeout)

    def messages(self):
        """The texts of the notifications that are on the screen."""
        return self.page.locator(TOASTS).all_text_contents()

    def wait_for_message(self, text):
        self.page.locator(TOASTS).filter(has_text=text).first.wait_for()

    def saved(self):
        """Save the file, which must not be empty, and return its text."""
        dirty = self.page.locator(".tab.active.dirty")
        self.press("Control+s")
        self.page.wait_for_timeout(50)
        # What an action writes meanwhile has to be saved as well.
        self.until(lambda: not dirty.count() or self.press("Control+s"), lambda: "not saved")
        # VS Code empties a file before it writes it, and no test saves an empty one.
        return self.until(self.file.read_text, lambda: "the file was saved empty")

    def why(self):
        """What our extension says to "Why was nothing suggested?"."""
        self.run("Why Was Nothing Suggested?")
        toast = self.page.locator(TOASTS).first
        toast.wait_for()
        return toast.text_content()

    def until(self, condition, complaint, timeout=DEADLINE_MS):
        """Wait for a condition that the page cannot wait for itself, and return what met it."""
        deadline = time.monotonic() + timeout / 1000
        while not (found := condition()):
            assert time.monotonic() < deadline, complaint()
            self.page.wait_for_timeout(30)
        return found

    def picture(self, file):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=file)
