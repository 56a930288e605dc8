package placement

import (
	"maps"
	"slices"
)

// gfxOf maps PCI device ids, as the AMD node labeller writes them, to the instruction
// set of the device. The labeller has no label for the instruction set itself.
var gfxOf = map[string]string{
	"738c": "gfx908", "738e": "gfx908", // MI100
	"7408": "gfx90a", "740c": "gfx90a", "740f": "gfx90a", "7410": "gfx90a", // MI250X, MI250, MI210, MI210 VF
	"74a0": "gfx942", "74a1": "gfx942", "74a2": "gfx942", "74a5": "gfx942", // MI300A, MI300X, MI308X, MI325X
	"74a8": "gfx942", "74a9": "gfx942", "74b5": "gfx942", "74b9": "gfx942", "74bd": "gfx942", // MI308X HF, MI300X HF, VFs of these
	"75a0": "gfx950", "75a3": "gfx950", "75b0": "gfx950", "75b3": "gfx950", // MI350X, MI355X, VFs of these
	"73a3": "gfx1030", "73bf": "gfx1030", // Radeon PRO W6800, RX 6800/6900
	"7448": "gfx1100", "744c": "gfx1100", "745e": "gfx1100", // Radeon PRO W7900, RX 7900, PRO W7800
	"7470": "gfx1101", "747e": "gfx1101", // Radeon PRO W7700, RX 7800
	"7480": "gfx1102", "7483": "gfx1102", // Radeon PRO W7600, RX 7600
	"7550": "gfx1201", "7551": "gfx1201", "7590": "gfx1200", // RX 9070, AI PRO R9700, RX 9060
}

// deviceIDs are the ids of the devices with one of the instruction sets, sorted.
func deviceIDs(architectures []string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(gfxOf)) {
		if slices.Contains(architectures, gfxOf[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}
