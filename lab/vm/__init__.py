"""An emulated VPS: a Debian 13 guest in QEMU, for what a container host can't show.

There limits, kernel settings, clocks, block devices, reboots and power cuts are real.

    vm = lab.vm.load()
    vm.must(["sudo", "docker", "ps"])
    vm.power_cut()
"""

from lab.vm.machine import VM, load

__all__ = ["VM", "load"]
