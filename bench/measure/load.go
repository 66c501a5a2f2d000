package measure

import (
	"os"
	"strconv"
	"strings"
)

// ticks is how many units of /proc/stat make a second; it is the same on every Linux that people use.
const ticks = 100

// load is the processor time of the whole machine, in ticks since its start.
type load struct {
	busy, all float64
	known     bool
}

func readLoad() load {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return load{}
	}
	return parseLoad(string(data))
}

func parseLoad(stat string) load {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return load{}
	}
	var l load
	// user nice system idle iowait irq softirq steal; the guests' time that follows is part of user.
	for i, f := range fields[1:9] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return load{}
		}
		l.all += n
		if i != 3 && i != 4 {
			l.busy += n
		}
	}
	l.known = true
	return l
}

// other is the share of the machine that others used since l was read, when own seconds were ours.
func (l load) other(own float64) float64 {
	return l.otherUntil(readLoad(), own)
}

func (l load) otherUntil(now load, own float64) float64 {
	if !l.known || !now.known || now.all <= l.all {
		return -1
	}
	return max(0, (now.busy-l.busy-own*ticks)/(now.all-l.all))
}
