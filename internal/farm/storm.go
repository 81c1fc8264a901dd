package farm

// Rage stops and starts all guests, one after the other, as fast as libvirtd can.
func Rage(all []*Domain) error {
	for _, change := range []func(*Domain) error{(*Domain).Destroy, (*Domain).Create} {
		for _, d := range all {
			if err := change(d); err != nil {
				return err
			}
		}
	}
	return nil
}
