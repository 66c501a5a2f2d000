package gen

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	dim          = 384
	rowsPerShard = 4096
	memoryBatch  = 500
)

type memory struct {
	ID        string            `json:"id"`
	Text      string            `json:"text"`
	Tags      []string          `json:"tags"`
	Source    string            `json:"source"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

func (m *maker) memories(n int) []job {
	p := m.part("memories: JSON files of 0.3 to 4 KB", false)
	words := dictionary(m.random("words"))
	var jobs []job
	for from := 0; from < n; from += memoryBatch {
		jobs = append(jobs, func() error {
			for i := from; i < min(from+memoryBatch, n); i++ {
				if err := m.memory(p, words, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return jobs
}

// memory writes one of them. The sizes are spread evenly on a logarithmic scale.
func (m *maker) memory(p *Part, words []string, i int) error {
	rng := m.random(fmt.Sprintf("memory %d", i))
	text := newProse(rng, words)
	id := fmt.Sprintf("mem_%08x%012x", i, rng.Uint64()>>16)
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 97 * time.Second)
	const frame = 300
	data, err := json.MarshalIndent(memory{
		ID: id, Text: text.text(int(frame*math.Pow(13, rng.Float64())) - frame + 1), Tags: text.some(1 + rng.IntN(3)), Source: "chat",
		Metadata:  map[string]string{"session": fmt.Sprintf("s-%06d", rng.IntN(1_000_000)), "importance": fmt.Sprintf("0.%02d", rng.IntN(100))},
		CreatedAt: at, UpdatedAt: at.Add(time.Duration(rng.IntN(1e6)) * time.Second),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode memory %s: %w", id, err)
	}
	return m.write(p, "data/memories/"+id+".json", append(data, '\n'))
}

// embeddings are NumPy files of float32 vectors of length 1; nothing compresses them.
func (m *maker) embeddings(size int64) []job {
	p := m.part("embeddings: float32 vectors in .npy files", false)
	rows := int(size / (4 * dim))
	var jobs []job
	for n := 0; n*rowsPerShard < rows; n++ {
		jobs = append(jobs, func() error {
			name := fmt.Sprintf("data/embeddings/shard-%05d.npy", n)
			count := min(rowsPerShard, rows-n*rowsPerShard)
			rng := m.random(name)
			data := npyHeader(count)
			for range count {
				data = appendVector(data, rng)
			}
			return m.write(p, name, data)
		})
	}
	return jobs
}

func npyHeader(rows int) []byte {
	dict := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	out := append([]byte("\x93NUMPY\x01\x00"), 118, 0)
	return append(out, fmt.Sprintf("%-117s\n", dict)...)
}

func appendVector(data []byte, rng *rand.Rand) []byte {
	var v [dim]float64
	var sum float64
	for i := range v {
		v[i] = rng.NormFloat64()
		sum += v[i] * v[i]
	}
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(x/math.Sqrt(sum))))
	}
	return data
}

// indexes are segments of an inverted index in JSON.
func (m *maker) indexes(size int64) []job {
	p := m.part("indexes: inverted index in JSON segments", false)
	const each = 2_000_000
	words := dictionary(m.random("words"))
	var jobs []job
	for n := range int((size + each - 1) / each) {
		jobs = append(jobs, func() error {
			name := fmt.Sprintf("data/indexes/segment-%06d.json", n+1)
			rng := m.random(name)
			var out bytes.Buffer
			out.WriteString("{\n")
			for i, want := 0, int(min(each, size-int64(n)*each)); out.Len() < want && i < len(words); i++ {
				out.WriteString(postings(rng, words[i], max(2, want/8/(i+8))))
			}
			out.WriteString("\"\": []\n}\n")
			return m.write(p, name, out.Bytes())
		})
	}
	return jobs
}

func postings(rng *rand.Rand, word string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q: [", word)
	for i, doc := 0, 0; i < n; i++ {
		doc += 1 + rng.IntN(40)
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d]", doc, 1+rng.IntN(4))
	}
	b.WriteString("],\n")
	return b.String()
}

func (m *maker) logs(size int64) []job {
	p := m.part("logs", true)
	return []job{func() error {
		rng := m.random("logs")
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var out bytes.Buffer
		for int64(out.Len()) < size {
			at = at.Add(time.Duration(rng.IntN(9000)) * time.Millisecond)
			fmt.Fprintf(&out, "time=%s level=INFO msg=request method=GET path=/api/memories/mem_%08x status=200 ms=%d\n",
				at.Format(time.RFC3339Nano), rng.IntN(20_000), rng.IntN(40))
		}
		return m.write(p, "logs/server.log", out.Bytes())
	}}
}

func (m *maker) temporary(size int64) []job {
	p := m.part("temporary and cache files", true)
	const n = 20
	return []job{func() error {
		for i := range n {
			name := fmt.Sprintf("data/tmp/upload-%02d.tmp", i)
			if i%2 == 1 {
				name = fmt.Sprintf("data/tmp/answers-%02d.cache", i)
			}
			rng := m.random(name)
			data := make([]byte, 0, size/n+8)
			for int64(len(data)) < size/n {
				data = binary.LittleEndian.AppendUint64(data, rng.Uint64())
			}
			if err := m.write(p, name, data); err != nil {
				return err
			}
		}
		return nil
	}}
}

// ComposePart is the name of the part that is the compose file.
const ComposePart = "compose file"

// compose is a compose file with the usual mounts, so that the store is a project.
func (m *maker) compose() job {
	p := m.part(ComposePart, false)
	return func() error {
		return m.write(p, "compose.yaml", []byte(`name: memsys-bench
services:
  memory-system:
    image: memory-system:local
    volumes:
      - ./data:/app/data
      - ./logs:/app/logs
      - ./backups:/app/backups
`))
	}
}
