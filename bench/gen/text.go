package gen

import (
	"math/rand/v2"
	"strings"
)

const vocabulary = 6000

// prose writes sentences whose words are as unevenly frequent as in real texts, so that they compress about as well.
type prose struct {
	rng   *rand.Rand
	zipf  *rand.Zipf
	words []string
}

func newProse(rng *rand.Rand, words []string) *prose {
	return &prose{rng: rng, zipf: rand.NewZipf(rng, 1.07, 4, uint64(len(words)-1)), words: words}
}

// dictionary makes up the words, the frequent ones first and shorter.
func dictionary(rng *rand.Rand) []string {
	starts := strings.Fields("b c d f g h j k l m n p r s t v w br ch cl cr dr fl gr pl pr sh sl sp st th tr")
	middles := strings.Fields("a e i o u ai ea ee ie oa ou")
	ends := strings.Fields("n r s t l d m ng nd st rt ck sh th")
	seen := map[string]bool{}
	out := make([]string, 0, vocabulary)
	for len(out) < vocabulary {
		var w strings.Builder
		for range 1 + rng.IntN(2+len(out)/1500) {
			w.WriteString(starts[rng.IntN(len(starts))])
			w.WriteString(middles[rng.IntN(len(middles))])
		}
		w.WriteString(ends[rng.IntN(len(ends))])
		if !seen[w.String()] {
			seen[w.String()] = true
			out = append(out, w.String())
		}
	}
	return out
}

func (p *prose) word() string { return p.words[p.zipf.Uint64()] }

// text returns sentences of at least size bytes in all.
func (p *prose) text(size int) string {
	var b strings.Builder
	for b.Len() < size {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		first := p.word()
		b.WriteString(strings.ToUpper(first[:1]) + first[1:])
		for range 4 + p.rng.IntN(14) {
			if p.rng.IntN(9) == 0 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			b.WriteString(p.word())
		}
		b.WriteByte('.')
	}
	return b.String()
}

func (p *prose) some(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = p.word()
	}
	return out
}
