package porta_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/cuzteam/porta"

// mayImport says which of our packages a package may use; "" is the root, x/* stands for the
// folders of x that have no line of their own. Not listed: none.
var mayImport = map[string]string{
	"":                "handler handler/* providers providers/* balancer credentials",
	"handler":         "providers providers/chat providers/sse balancer",
	"handler/hub":     "",
	"handler/serve":   "handler/accounts handler/catalog", // commands below the other
	"handler/lasting": "providers credentials",
	"handler/*":       "handler handler/hub providers providers/chat",
	"providers":       "providers/chat providers/sse providers/http1 credentials balancer",
	"providers/chat":  "",
	"providers/http1": "",
	"providers/sse":   "",
	"providers/*":     "providers providers/chat providers/sse credentials providers/*/*",
	// A format that several hosts speak is a folder below its own host's, and pure translation.
	"providers/anthropic/*": "providers providers/chat providers/sse",
	"providers/gemini/*":    "providers providers/chat providers/sse",
	"providers/openai/*":    "providers providers/chat providers/sse",
}

// caddyBeside are files that may import Caddy beside the root, module.go and caddyfile.go.
var caddyBeside = []string{
	"handler/serve/command.go", // it is one of Caddy's commands, and nothing else
}

func allowed(from, to string) bool {
	list, ok := mayImport[from]
	if !ok {
		list = mayImport[path.Dir(from)+"/*"]
	}
	return slices.ContainsFunc(strings.Fields(list), func(pattern string) bool {
		ok, _ := path.Match(pattern, to)
		return ok
	})
}

// TestImports keeps the packages apart: who may use whom, and where Caddy may be known.
func TestImports(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file = filepath.ToSlash(file)
		if entry.IsDir() {
			_, err := os.Stat(path.Join(file, "go.mod"))
			nested := file != "." && err == nil
			if name := entry.Name(); nested || file != "." && (name[0] == '.' || name[0] == '_' || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		seen++
		checkImports(t, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no file was looked at")
	}
}

func checkImports(t *testing.T, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	from := path.Dir(file)
	if from == "." {
		from = ""
	}
	above, _, _ := strings.Cut(from, "/")
	free := above == "cmd" || above == "examples" // they stand where a user's own code stands
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		to, ours := strings.CutPrefix(name+"/", modulePath+"/")
		to = strings.TrimSuffix(to, "/")
		switch base := path.Base(file); {
		case free:
		case ours && to == "":
			t.Errorf("%s imports the root", file)
		case ours && !allowed(from, to):
			t.Errorf("%s may not import %s", file, to)
		case strings.HasPrefix(name, "github.com/caddyserver/") && from != "" &&
			base != "module.go" && base != "caddyfile.go" && !slices.Contains(caddyBeside, file):
			t.Errorf("%s may not import Caddy (%s)", file, name)
		}
	}
}

// TestTheTopLevelHoldsOnlyTheModule keeps other code out of the root: its files are the handler
// module, its Caddyfile, and tests.
func TestTheTopLevelHoldsOnlyTheModule(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f != "module.go" && f != "caddyfile.go" && !strings.HasSuffix(f, "_test.go") {
			t.Errorf("%s is in the root", f)
		}
	}
}
