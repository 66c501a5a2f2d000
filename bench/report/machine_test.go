package report

import (
	"testing"

	"gotest.tools/v3/assert"
)

func TestMachineIsDescribedInGeneralWords(t *testing.T) {
	assert.DeepEqual(t, features("model name : Xy 3000\nflags\t: fpu avx2 avx512f sha_ni\nflags : vaes\n"), []string{"AVX-512", "AVX2", "SHA extensions"})
	assert.DeepEqual(t, features("flags : avx2\n"), []string{"AVX2", "no SHA extensions"})
	assert.DeepEqual(t, features("Features : fp asimd sha1 sha2\n"), []string{"NEON", "SHA-1", "SHA-2"})
	assert.Equal(t, memoryGiB("MemTotal:       24612345 kB\nMemFree: 1 kB\n"), 23)
	assert.Equal(t, fileSystem("/dev/a / ext4 rw\ntmpfs /tmp tmpfs rw\n", "/tmp/x"), "tmpfs")
	assert.Equal(t, fileSystem("/dev/a / ext4 rw\ntmpfs /tmp tmpfs rw\n", "/tmpx"), "ext4")
}
