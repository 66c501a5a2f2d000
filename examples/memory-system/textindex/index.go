// Package textindex is an inverted index over texts, kept in immutable segment files.
package textindex

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/memsys/docker-memsys/examples/memory-system/vector"
)

// Hit is a text found, with its BM25 score.
type Hit struct {
	ID    string
	Score float64
}

type document struct {
	sum   string
	size  int
	terms map[string]int
}

// Index finds texts by their words. Its methods must not be called at the same time, but for Search and Postings.
type Index struct {
	store    store
	docs     map[string]document
	postings map[string]map[string]int
	words    int
	pending  map[string]bool
}

// Add indexes a text under an id; sum names the text. A former text of the same id is forgotten.
func (x *Index) Add(id, sum, text string) {
	terms := map[string]int{}
	size := 0
	for _, w := range vector.Words(text) {
		terms[w]++
		size++
	}
	x.put(id, document{sum: sum, size: size, terms: terms})
	x.pending[id] = true
}

// Remove forgets the text of an id.
func (x *Index) Remove(id string) {
	d, ok := x.docs[id]
	if !ok {
		return
	}
	for t := range d.terms {
		delete(x.postings[t], id)
		if len(x.postings[t]) == 0 {
			delete(x.postings, t)
		}
	}
	x.words -= d.size
	delete(x.docs, id)
	delete(x.pending, id)
}

// Sum returns the sum under which a text was indexed.
func (x *Index) Sum(id string) (string, bool) {
	d, ok := x.docs[id]
	return d.sum, ok
}

// Pending is the number of texts that no segment holds yet.
func (x *Index) Pending() int { return len(x.pending) }

// Terms is the number of different words.
func (x *Index) Terms() int { return len(x.postings) }

// Postings returns a copy of the whole index: for each word, how often each text has it.
func (x *Index) Postings() map[string]map[string]int {
	out := make(map[string]map[string]int, len(x.postings))
	for t, p := range x.postings {
		out[t] = maps.Clone(p)
	}
	return out
}

// Search returns the texts that have at least one word of the query, best first.
func (x *Index) Search(query string) []Hit {
	scores := map[string]float64{}
	words := vector.Words(query)
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		x.score(w, scores)
	}
	out := make([]Hit, 0, len(scores))
	for id, s := range scores {
		out = append(out, Hit{id, s})
	}
	slices.SortFunc(out, func(a, b Hit) int {
		if a.Score != b.Score {
			if a.Score > b.Score {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// score adds the BM25 score of one word to every text that has it.
func (x *Index) score(word string, scores map[string]float64) {
	const k, b = 1.2, 0.75
	found := x.postings[word]
	n := float64(len(x.docs))
	idf := math.Log(1 + (n-float64(len(found))+0.5)/(float64(len(found))+0.5))
	for id, count := range found {
		tf := float64(count)
		norm := k * (1 - b + b*float64(x.docs[id].size)*n/float64(max(x.words, 1)))
		scores[id] += idf * tf * (k + 1) / (tf + norm)
	}
}

func (x *Index) put(id string, d document) {
	x.Remove(id)
	x.docs[id] = d
	x.words += d.size
	for t, n := range d.terms {
		if x.postings[t] == nil {
			x.postings[t] = map[string]int{}
		}
		x.postings[t][id] = n
	}
}
