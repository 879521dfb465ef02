"""What a person's own tools would execute later, told by name, kind and mode. Values only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

ENVIRONMENT = "programs run from this environment"
_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "make runs it": (
        "makefile",
        "gnumakefile",
        "justfile",
        "taskfile.yml",
        "taskfile.yaml",
        "rakefile",
        "gruntfile.js",
    ),
    "npm, yarn or pnpm run its scripts": ("package.json", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs"),
    "pip and build tools run it": ("setup.py", "setup.cfg", "pyproject.toml", "noxfile.py", "tox.ini", "dodo.py"),
    "pytest runs it": ("conftest.py", "pytest.ini"),
    "every Python runs it at its start": ("sitecustomize.py", "usercustomize.py"),
    "git hooks run it": (".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lintstagedrc"),
    "git follows it": (".gitattributes", ".gitmodules", ".gitconfig"),
    "the build service runs it": (
        *(
            ".gitlab-ci.yml",
            "jenkinsfile",
            "azure-pipelines.yml",
            ".travis.yml",
            ".drone.yml",
            "bitbucket-pipelines.yml",
        ),
        *("cloudbuild.yaml", "netlify.toml", "vercel.json", "procfile", "action.yml", "action.yaml"),
    ),
    "docker runs it": ("dockerfile", "containerfile", "vagrantfile", "skaffold.yaml"),
    "a shell runs it": (
        *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile"),
        *(".inputrc", ".kshrc", ".cshrc", ".tcshrc"),
    ),
    "it sets up every shell that enters the folder": (
        ".envrc",
        ".mise.toml",
        "mise.toml",
        ".tool-versions",
        ".autoenv",
    ),
    "programs load it as settings": (".env", ".pythonrc", ".pdbrc", ".gdbinit", ".lldbinit", ".psqlrc", ".netrc"),
    "an editor runs it": (".exrc", ".vimrc", ".nvimrc", ".nvim.lua", ".dir-locals.el", ".emacs", ".devcontainer.json"),
    "cargo runs it": ("build.rs", "cargo.toml"),
    "go runs it": ("go.work",),
    "the build runs it": (
        *("build.gradle", "build.gradle.kts", "settings.gradle", "gradlew", "pom.xml", "cmakelists.txt", "meson.build"),
        *("configure", "gemfile", "workspace", "build.bazel", "module.bazel", "composer.json", "mix.exs", "build.sbt"),
    ),
    "coding agents take it as instructions": (
        *("agents.md", "claude.md", "gemini.md", ".cursorrules", ".windsurfrules", "copilot-instructions.md"),
    ),
    "programs start the servers it names": (".mcp.json", "mcp.json"),
}
_BY_FOLDER: Mapping[str, tuple[str, ...]] = {
    "the build service runs it": (
        ".github/workflows",
        ".github/actions",
        ".circleci",
        ".gitea/workflows",
        ".buildkite",
    ),
    "git hooks run it": (".husky", ".githooks", "hooks.d"),
    "an editor runs its tasks": (".vscode", ".idea", ".zed", ".helix", ".devcontainer", ".fleet", ".vim", ".nvim"),
    "coding agents follow it": (".claude", ".cursor", ".codex", ".gemini", ".windsurf"),
    ENVIRONMENT: (".venv", "venv", "node_modules", ".tox", ".nox", "vendor", "site-packages"),
    "cargo runs it": (".cargo",),
    "a login runs it": (".config/autostart", ".config/systemd", ".config/fish", ".local/bin"),
}
_BY_PATTERN: Mapping[str, re.Pattern[str]] = {
    "make runs it": re.compile(r"\.mk$"),
    "every Python runs it at its start": re.compile(r"\.pth$"),
    "docker runs it": re.compile(r"^(dockerfile|containerfile)\.|\.dockerfile$|^(docker-)?compose[^/]*\.ya?ml$"),
    "its tool runs it": re.compile(r"\.config\.(js|cjs|mjs|ts|cts|mts)$|^\.[a-z-]+rc\.(js|cjs|mjs)$"),
    "an editor runs its tasks": re.compile(r"\.(code-workspace|sublime-project)$"),
    "the desktop runs it": re.compile(r"\.(desktop|service|timer)$"),
}
_NAMES = {name: reason for reason, names in _BY_NAME.items() for name in names}


def reason(path: str, mode: int, *, mode_before: int | None, target: str = "", workspace: str = "/") -> str:
    """Why the made or changed `path`, relative to the workspace, would run later, or lead out; empty where it would
    not. `target` is where a symbolic link points."""
    parts = path.lower().split("/")
    name = parts[-1]
    if stat.S_ISLNK(mode) and not _stays(path, target, workspace):
        return "it leads out of the workspace"
    if name == ".git":
        return "" if mode_before is not None else "git follows its configuration and hooks"
    if len(parts) > 1 and parts[-2] == ".git":
        return "git goes on with it"
    if name in _NAMES:
        return _NAMES[name]
    for why, folders in _BY_FOLDER.items():
        if any(f"/{folder}/" in f"/{'/'.join(parts[:-1])}/" for folder in folders):
            return why
    for why, pattern in _BY_PATTERN.items():
        if pattern.search(name):
            return why
    if stat.S_ISREG(mode):
        if mode & (stat.S_ISUID | stat.S_ISGID):
            return "it runs with the rights of its owner"
        if mode & 0o111:
            return "it can be run"
    return ""


def environment_of(path: str) -> str:
    """The environment that `path`, marked as `ENVIRONMENT`, lies in."""
    parts = path.split("/")
    names = [index for index, part in enumerate(parts[:-1]) if part.lower() in _BY_FOLDER[ENVIRONMENT]]
    return "/".join(parts[: names[0] + 1]) if names else path


def _stays(path: str, target: str, workspace: str) -> bool:
    """Whether a link at `path` leads to something in the workspace, as far as its own text tells."""
    place = os.path.normpath(os.path.join(workspace, os.path.dirname(path), target))
    return place == workspace or place.startswith(workspace.rstrip("/") + "/")
