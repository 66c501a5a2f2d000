package compose

import (
	"testing"

	"gotest.tools/v3/assert"
)

func TestEmbeddingDimensionsAreFoundInTheEnvironment(t *testing.T) {
	p := project(t, map[string]string{
		"compose.yaml": "services: {a: {image: x, environment: {EMBEDDING_DIMENSION: 384, QDRANT_VECTOR_SIZE: '768', EMBEDDING_MODEL: m, BATCH_SIZE: 5, VECTOR_DIM: many}}, b: {image: x, env_file: b.env}}",
		"b.env":        "EMBED_DIMS=1536\n",
	})
	assert.DeepEqual(t, p.Dimensions(), []Dimension{{"a", "EMBEDDING_DIMENSION", 384}, {"a", "QDRANT_VECTOR_SIZE", 768}, {"b", "EMBED_DIMS", 1536}})
}
