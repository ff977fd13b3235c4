package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is a character encoding of files. The zero width is UTF-8.
type encoding struct {
	width int // bytes of a code unit: 0, 2 or 4
	order byteOrder
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// parseEncoding reads the names of §9.11; empty is UTF-8. Without a suffix
// the wider encodings are little-endian.
func parseEncoding(name string) (encoding, error) {
	switch strings.Replace(strings.ToLower(name), "utf-", "utf", 1) {
	case "", "utf8":
		return encoding{}, nil
	case "utf16", "utf16-le":
		return encoding{2, binary.LittleEndian}, nil
	case "utf16-be":
		return encoding{2, binary.BigEndian}, nil
	case "utf32", "utf32-le":
		return encoding{4, binary.LittleEndian}, nil
	case "utf32-be":
		return encoding{4, binary.BigEndian}, nil
	}
	return encoding{}, fmt.Errorf("unknown encoding '%s'; it must be utf8, utf16, utf16-LE, utf16-BE, utf32, utf32-LE or utf32-BE", name)
}

func checkEncoding(name string) error {
	_, err := parseEncoding(name)
	return err
}

// encodingInput is the input that several modules share.
var encodingInput = Input{
	Name: "encoding", Type: String, Default: "utf8", Check: checkEncoding,
	Description: "utf8, utf16, utf16-LE, utf16-BE, utf32, utf32-LE or utf32-BE; no byte-order mark is written.",
}

// encode writes text without a byte-order mark.
func (e encoding) encode(text string) []byte {
	var out []byte
	switch e.width {
	case 2:
		for _, u := range utf16.Encode([]rune(text)) {
			out = e.order.AppendUint16(out, u)
		}
	case 4:
		for _, r := range text {
			out = e.order.AppendUint32(out, uint32(r))
		}
	default:
		return []byte(text)
	}
	return out
}

var errEncoding = errors.New("the bytes are not valid in the encoding")

// decode reads text and skips a byte-order mark.
func (e encoding) decode(data []byte) (string, error) {
	if mark := e.encode("\ufeff"); bytes.HasPrefix(data, mark) {
		data = data[len(mark):]
	}
	if e.width == 0 {
		if !utf8.Valid(data) {
			return "", errEncoding
		}
		return string(data), nil
	}
	if len(data)%e.width != 0 {
		return "", errEncoding
	}
	text := e.runes(data)
	// Whatever is invalid was replaced: it does not encode to the same bytes.
	if !bytes.Equal(e.encode(text), data) {
		return "", errEncoding
	}
	return text, nil
}

func (e encoding) runes(data []byte) string {
	if e.width == 2 {
		units := make([]uint16, 0, len(data)/2)
		for ; len(data) > 0; data = data[2:] {
			units = append(units, e.order.Uint16(data))
		}
		return string(utf16.Decode(units))
	}
	runes := make([]rune, 0, len(data)/4)
	for ; len(data) > 0; data = data[4:] {
		runes = append(runes, rune(e.order.Uint32(data)))
	}
	return string(runes)
}
