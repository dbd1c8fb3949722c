"""What `worker-options` prints, given to each SDK's own compiler: names that an SDK does not know don't pass.

Python's is run: tests/unit/workload/test_worker_snippet.py. There is no .NET here, so its names
are compared with its source: tests/unit/sizing/test_workers.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lab import golang
from lab.packages import Need, ensure_packages, on_path
from lab.paths import Home
from lab.steps import Steps
from tempo_infra.report.worker_options import snippet
from tempo_infra.sizing.settings import GIB
from tempo_infra.sizing.workers import Activities, Sdk, worker_options

pytestmark = [pytest.mark.lab, pytest.mark.sdks]
GO_SDK = "v1.41.1"  # the server's own dependency
JAVA_SDK = "1.32.0"
TYPESCRIPT = {"@temporalio/worker": "1.24.0", "typescript": "5.9.3"}

GO = """package main

import (
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

func started(c client.Client, taskQueue string) error {
%s
	return w.Run(worker.InterruptCh())
}

func main() {}
"""
JAVA = """import io.temporal.client.WorkflowClient;
import io.temporal.worker.*;

class Snippet {
  static Worker made(WorkflowClient client, String taskQueue) {
%s
    return worker;
  }
}
"""
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>snippet</groupId><artifactId>snippet</artifactId><version>1</version><dependencies><dependency>
<groupId>io.temporal</groupId><artifactId>temporal-sdk</artifactId><version>{JAVA_SDK}</version>
</dependency></dependencies></project>
"""
TS = """import { NativeConnection, Worker } from "@temporalio/worker";

export async function made(
  connection: NativeConnection, taskQueue: string, workflowsPath: string, activities: object,
): Promise<Worker> {
%s
  return worker;
}
"""


def text(sdk: Sdk) -> str:
    return snippet(worker_options(sdk, 4, 8 * GIB, Activities.IO))


def compiled(words: list[str | Path], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [str(word) for word in words]
    return subprocess.run(
        argv, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=570
    )


def needs(*packages: tuple[str, str]) -> None:
    """Install what the machine lacks of Debian's packages, by the command that each one brings."""
    with Steps().step("packages") as step:
        ensure_packages(step, tuple(Need(package, on_path(command)) for package, command in packages))


def go(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    home = Home.locate()
    (folder / "go.mod").write_text(f"module snippet\n\ngo 1.24\n\nrequire go.temporal.io/sdk {GO_SDK}\n")
    (folder / "main.go").write_text(GO % code)
    env = {**golang.environment(home), "GOFLAGS": "-modcacherw -mod=mod"}
    return compiled([golang.toolchain(home, golang.SERVER.go), "vet", "."], folder, **env)


def java(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    needs(("maven", "mvn"), ("default-jdk-headless", "javac"))
    (folder / "pom.xml").write_text(POM)
    (folder / "Snippet.java").write_text(JAVA % code)
    found = compiled(["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath"], folder)
    assert found.returncode == 0, found.stdout[-2000:]
    return compiled(["javac", "-cp", (folder / "classpath").read_text(), "Snippet.java"], folder)


def typescript(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    needs(("npm", "npm"))
    place = Home.locate().cache / "sdks" / "typescript"
    wanted = json.dumps({"name": "snippet", "private": True, "dependencies": TYPESCRIPT})
    if not (place / "package.json").exists() or (place / "package.json").read_text() != wanted:
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text(wanted)
        done = compiled(["npm", "install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts"], place)
        assert done.returncode == 0, done.stderr[-2000:]
    (folder / "node_modules").symlink_to(place / "node_modules")
    (folder / "snippet.ts").write_text(TS % code)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
    return compiled([place / "node_modules" / ".bin" / "tsc", *options, "snippet.ts"], folder)


COMPILERS = {Sdk.GO: go, Sdk.JAVA: java, Sdk.TYPESCRIPT: typescript}


@pytest.mark.parametrize("sdk", COMPILERS)
def test_the_sdks_own_compiler_takes_it(sdk: Sdk, tmp_path: Path) -> None:
    done = COMPILERS[sdk](text(sdk), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("sdk", COMPILERS)
def test_and_would_not_take_a_name_that_it_does_not_know(sdk: Sdk, tmp_path: Path) -> None:
    wrong = re.sub(r"axConcurrentActivity\w+", "axConcurrentActivityThings", text(sdk), count=1)
    done = COMPILERS[sdk](wrong, tmp_path)
    assert done.returncode != 0
    assert "axConcurrentActivityThings" in done.stdout + done.stderr
