package vector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

const (
	npyMagic   = "\x93NUMPY\x01\x00"
	headerSize = 128
	rowSize    = Dim * 4
)

// header is the NumPy 1.0 header of a float32 matrix, padded to a fixed size so that it can be rewritten in place.
func header(rows int) []byte {
	dict := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, Dim)
	buf := bytes.NewBuffer(make([]byte, 0, headerSize))
	buf.WriteString(npyMagic)
	buf.Write(binary.LittleEndian.AppendUint16(nil, uint16(headerSize-len(npyMagic)-2)))
	buf.WriteString(dict)
	buf.WriteString(strings.Repeat(" ", headerSize-buf.Len()-1))
	buf.WriteByte('\n')
	return buf.Bytes()
}

// parseHeader returns the number of rows that the header of a shard states.
func parseHeader(data []byte) (int, error) {
	if len(data) < headerSize {
		return 0, fmt.Errorf("%d bytes are too short for a NumPy header", len(data))
	}
	var rows int
	dict := string(data[len(npyMagic)+2 : headerSize])
	format := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%%d, %d), }", Dim)
	if _, err := fmt.Sscanf(dict, format, &rows); err != nil {
		return 0, fmt.Errorf("unexpected NumPy header")
	}
	if !bytes.Equal(data[:headerSize], header(rows)) {
		return 0, fmt.Errorf("unexpected NumPy header")
	}
	return rows, nil
}

func encodeRow(v []float32) []byte {
	out := make([]byte, 0, rowSize)
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

// decodeRow returns the vector in data, or an error if it is not of length 1.
func decodeRow(data []byte) ([]float32, error) {
	out := make([]float32, Dim)
	var sum float64
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		sum += float64(out[i]) * float64(out[i])
	}
	if math.IsNaN(sum) || math.Abs(sum-1) > 1e-3 {
		return nil, fmt.Errorf("length %.3g instead of 1", math.Sqrt(sum))
	}
	return out, nil
}
