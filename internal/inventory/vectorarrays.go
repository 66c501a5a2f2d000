package inventory

// arrays counts the vectors of a file: the rows of its matrices of floating-point numbers, or, where it has none, of all its arrays.
type arrays struct {
	vectors, others int64
	dimension       int64 // -1: they differ
}

// add counts an array whose size was found to fit its file.
func (a *arrays) add(shape []int64, floats bool) {
	rows := int64(1)
	if len(shape) > 0 {
		rows = shape[0]
	}
	if len(shape) != 2 || !floats || shape[1] == 0 {
		a.others += rows
		return
	}
	a.matrix(rows, shape[1])
}

func (a *arrays) matrix(rows, dimension int64) {
	a.vectors += rows
	switch a.dimension {
	case 0:
		a.dimension = dimension
	case dimension:
	default:
		a.dimension = -1
	}
}

// done tells the recorder what was counted in a file.
func (a *arrays) done(path string, r *Recorder) {
	b := r.Batch(KindVector, path)
	switch {
	case a.dimension == 0:
		b.Count(a.others)
	default:
		b.Count(a.vectors)
		b.Dimension(int(max(a.dimension, 0)))
	}
	b.Done(1)
}
