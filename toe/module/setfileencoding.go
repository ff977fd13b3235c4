package module

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

var setFileEncoding = Module{
	Name:        "SetFileEncoding",
	Description: "Converts files from UTF-8 to another encoding. What is not UTF-8 any more cannot be converted again.",
	Platforms:   anywhere,
	List:        true,
	Inputs:      []Input{pathInput("The file; a link stands for its target."), encodingInput},
	Run: each(func(ctx context.Context, c *Call, in Values) error {
		enc, err := parseEncoding(in.String("encoding"))
		if err != nil {
			return err
		}
		path, err := filepath.EvalSymlinks(c.Path(in.String("path")))
		if err != nil {
			return err
		}
		return convertFile(ctx, path, enc)
	}),
}

// convertFile writes a new file and renames it: a file with a fault stays as
// it was.
func convertFile(ctx context.Context, path string, enc encoding) error {
	to, err := openPlace(path)
	if err != nil {
		return err
	}
	defer to.dir.Close()
	staged := to.beside()
	err = staged.fillConverted(ctx, path, enc)
	if err == nil {
		err = staged.rename(to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("converting %s: %w", path, err), to.dir.RemoveAll(staged.name))
	}
	return nil
}

// fillConverted makes a file with the mode and owner of another and with its
// content, converted. The other one is closed then: Windows replaces no open
// file.
func (p place) fillConverted(ctx context.Context, path string, enc encoding) error {
	src, err := OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := p.create()
	if err != nil {
		return err
	}
	return errors.Join(enc.convert(ctx, dst, src), copier{keep: true}.attributes(p, info, dst.Chmod), dst.Close())
}

const convertPiece = 64 << 10 // bytes of text between two writes

// convert reads UTF-8, without a byte-order mark, and writes the encoding.
func (e encoding) convert(ctx context.Context, dst io.Writer, src io.Reader) error {
	in := bufio.NewReaderSize(reader(ctx, src), convertPiece)
	var text strings.Builder
	for first := true; ; first = false {
		r, size, err := in.ReadRune()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if r == utf8.RuneError && size == 1 {
			return errEncoding
		}
		if err == nil && !(first && r == '\ufeff') {
			text.WriteRune(r)
		}
		if err == nil && text.Len() < convertPiece {
			continue
		}
		if _, werr := dst.Write(e.encode(text.String())); werr != nil || err != nil {
			return werr
		}
		text.Reset()
	}
}
