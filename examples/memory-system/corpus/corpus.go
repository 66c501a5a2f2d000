// Package corpus makes up the memories of an assistant: the same seed gives the same texts on every machine.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Note is one made-up memory.
type Note struct {
	ID       string
	At       time.Time
	Text     string
	Tags     []string
	Source   string
	Metadata map[string]string
}

// Corpus makes notes, one after the other.
type Corpus struct {
	rng  *rand.Rand
	at   time.Time
	made int
}

// New returns the corpus of a seed.
func New(seed uint64) *Corpus {
	return &Corpus{
		rng: rand.New(rand.NewPCG(seed, 0x6d656d73797321)),
		at:  time.Date(2024, time.January, 8, 7, 30, 0, 0, time.UTC),
	}
}

// Next makes a note of a few sentences, as people tell an assistant.
func (c *Corpus) Next() Note { return c.NextOf(40 + c.rng.IntN(400)) }

// NextOf makes a note whose text has at least size bytes and ends with a whole sentence.
func (c *Corpus) NextOf(size int) Note {
	c.at = c.at.Add(time.Duration(30+c.rng.IntN(5400)) * time.Second)
	c.made++
	n := Note{
		ID:     fmt.Sprintf("mem_%08x%012x", c.made, c.rng.Uint64()>>16),
		At:     c.at,
		Source: c.pick(sources()),
		Metadata: map[string]string{
			"session":    fmt.Sprintf("s-%06d", c.rng.IntN(1_000_000)),
			"importance": fmt.Sprintf("0.%02d", c.rng.IntN(100)),
		},
	}
	topic := topics()[c.rng.IntN(len(topics()))]
	n.Tags = append([]string{topic.name}, c.some(topic.nouns, 1+c.rng.IntN(3))...)
	var text strings.Builder
	for text.Len() < size || text.Len() == 0 {
		if text.Len() > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(c.sentence(topic))
	}
	n.Text = text.String()
	return n
}

func (c *Corpus) sentence(t topic) string {
	noun, other := c.pick(t.nouns), c.pick(t.nouns)
	switch c.rng.IntN(8) {
	case 0:
		return fmt.Sprintf("%s asked to keep the %s %s.", c.pick(people()), noun, c.pick(qualities()))
	case 1:
		return fmt.Sprintf("The %s was %s on %s because of the %s.", noun, c.pick(t.verbs), c.day(), other)
	case 2:
		return fmt.Sprintf("Prefers a %s %s over the %s one.", c.pick(qualities()), noun, c.pick(qualities()))
	case 3:
		return fmt.Sprintf("%s said the %s costs %d.%02d and should be %s by %s.",
			c.pick(people()), noun, 3+c.rng.IntN(900), c.rng.IntN(100), c.pick(t.verbs), c.day())
	case 4:
		return fmt.Sprintf("Remember: %s %s, then the %s, never the other way round.", c.pick(t.verbs), noun, other)
	case 5:
		return fmt.Sprintf("We agreed with %s that the %s gets %s every %s.", c.pick(people()), noun, c.pick(t.verbs), c.pick(days()))
	case 6:
		return fmt.Sprintf("Question left open: why is the %s %s when the %s is not?", noun, c.pick(qualities()), other)
	default:
		return fmt.Sprintf("Note %d about the %s: %s, %s and %s.",
			1+c.rng.IntN(99), noun, c.pick(qualities()), c.pick(qualities()), c.pick(t.verbs))
	}
}

func (c *Corpus) day() string {
	return fmt.Sprintf("%s the %dth", c.pick(days()), 4+c.rng.IntN(16))
}

func (c *Corpus) pick(from []string) string { return from[c.rng.IntN(len(from))] }

// some picks n different words at most.
func (c *Corpus) some(from []string, n int) []string {
	var out []string
	for _, i := range c.rng.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}
