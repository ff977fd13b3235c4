package base

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
)

func TestPatchBoot(t *testing.T) {
	boot := bytes.Repeat([]byte{0xcc}, sector)
	boot[510], boot[511] = 0x55, 0xaa
	got, err := patchBoot(boot, 0x1122334455)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != bootCode {
		t.Fatalf("patchBoot keeps %d bytes, want %d: the partition entries are not ours", len(got), bootCode)
	}
	if lba := binary.LittleEndian.Uint64(got[0x5c:]); lba != 0x1122334455 {
		t.Errorf("kernel sector = %#x, want 0x1122334455", lba)
	}
	if got[0x64] != 0xff || got[0x66] != 0x90 || got[0x67] != 0x90 {
		t.Errorf("drive and check = % x, want ff .. 90 90", got[0x64:0x68])
	}
	if boot[0x64] != 0xcc {
		t.Error("patchBoot changed its argument")
	}
}

func TestPatchBootRefuses(t *testing.T) {
	for name, boot := range map[string][]byte{"short": make([]byte, 100), "no signature": make([]byte, sector)} {
		if _, err := patchBoot(boot, 1); ingot.ErrorCode(err) != ingot.CodeInvalid {
			t.Errorf("%s: patchBoot = %v, want invalid", name, err)
		}
	}
}

func TestPatchCore(t *testing.T) {
	got, err := patchCore(bytes.Repeat([]byte{1}, 3*sector+7), 2048)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 4*sector {
		t.Fatalf("patchCore pads to %d bytes, want %d", len(got), 4*sector)
	}
	list := got[sector-12 : sector]
	if lba := binary.LittleEndian.Uint64(list); lba != 2049 {
		t.Errorf("first sector of the rest = %d, want 2049", lba)
	}
	if n := binary.LittleEndian.Uint16(list[8:]); n != 3 {
		t.Errorf("sectors = %d, want 3", n)
	}
	if seg := binary.LittleEndian.Uint16(list[10:]); seg != 0x820 {
		t.Errorf("segment = %#x, want 0x820", seg)
	}
	if _, err := patchCore(make([]byte, sector), 1); ingot.ErrorCode(err) != ingot.CodeInvalid {
		t.Errorf("patchCore of one sector = %v, want invalid", err)
	}
}

func testIdentity() identity {
	return newIdentity("debian-12-x86", time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
}

func TestIdentityFollowsFromNameAndDate(t *testing.T) {
	id := testIdentity()
	if diff := cmp.Diff(id, testIdentity(), cmp.AllowUnexported(identity{})); diff != "" {
		t.Errorf("identity differs between two calls:\n%s", diff)
	}
	if other := newIdentity("debian-13-x86", time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)); other.rootFS == id.rootFS {
		t.Error("two bases have one file system id")
	}
	if len(id.espSerial) != 8 {
		t.Errorf("FAT volume id = %q, want 8 digits", id.espSerial)
	}
}
