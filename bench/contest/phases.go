package contest

import (
	"bytes"
	"encoding/json"
	"io"
)

// phases finds the seconds of each phase in the JSON that docker memsys prints; other output has none.
func phases(output []byte) map[string]float64 {
	var found map[string]float64
	d := json.NewDecoder(bytes.NewReader(output))
	for {
		var value any
		if err := d.Decode(&value); err != nil {
			if err != io.EOF {
				return nil
			}
			return found
		}
		if f := seconds(value); f != nil {
			found = f
		}
	}
}

func seconds(value any) map[string]float64 {
	switch v := value.(type) {
	case []any:
		for _, e := range v {
			if f := seconds(e); f != nil {
				return f
			}
		}
	case map[string]any:
		if s, ok := v["seconds"].(map[string]any); ok {
			return numbers(s)
		}
		for _, e := range v {
			if f := seconds(e); f != nil {
				return f
			}
		}
	}
	return nil
}

func numbers(from map[string]any) map[string]float64 {
	out := map[string]float64{}
	for name, value := range from {
		if n, ok := value.(float64); ok {
			out[name] = n
		}
	}
	return out
}
