// Package vector embeds texts and keeps the embeddings in appendable NumPy shards.
package vector

import (
	"hash/fnv"
	"math"
	"strings"
	"unicode"
)

// Dim is the dimension of every embedding.
const Dim = 256

// Embed maps a text to a vector of length 1: its words, pairs of words and letter trigrams are hashed to signed
// components. The same text gives the same vector on every machine, and no model has to be downloaded.
func Embed(text string) []float32 {
	var sums [Dim]float64
	words := Words(text)
	for i, w := range words {
		add(&sums, "w:"+w, 1)
		if i > 0 {
			add(&sums, "p:"+words[i-1]+" "+w, 0.5)
		}
		runes := []rune("^" + w + "$")
		for j := 0; j+3 <= len(runes); j++ {
			add(&sums, "t:"+string(runes[j:j+3]), 0.25)
		}
	}
	norm := length(sums[:])
	if norm == 0 {
		add(&sums, "raw:"+text, 1)
		norm = 1
	}
	out := make([]float32, Dim)
	for i, v := range sums {
		out[i] = float32(v / norm)
	}
	return out
}

// Words returns the words of a text in lower case, in order.
func Words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// Cosine is the similarity of two vectors of length 1.
func Cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func add(sums *[Dim]float64, feature string, weight float64) {
	h := fnv.New64a()
	h.Write([]byte(feature))
	sum := h.Sum64()
	if sum>>63 == 1 {
		weight = -weight
	}
	sums[sum%Dim] += weight
}

func length(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
