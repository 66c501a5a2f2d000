package progress

import (
	"sync"
	"testing"

	"gotest.tools/v3/assert"
)

func TestACounterAddsUpWhoeverCounts(t *testing.T) {
	var mu sync.Mutex
	var most Event
	count := Counter(Func(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Done > most.Done {
			most = e
		}
	}), Event{Step: "verify", Object: "a", Total: 400})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				count(1)
			}
		})
	}
	all.Wait()
	assert.DeepEqual(t, most, Event{Step: "verify", Object: "a", Status: Working, Done: 400, Total: 400, Unit: Bytes})
}
