package process

import "testing"

func TestBoot(t *testing.T) {
	boot, err := Boot()
	if err != nil || len(boot) != 36 {
		t.Errorf("%q, %v", boot, err)
	}
}
