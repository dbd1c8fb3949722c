// Reads the source of a Temporal server and prints its keys of dynamic configuration, one a line: key, type, default,
// the services that may read it, and by what it may differ: "Global" by nothing, "TaskQueue" by task queue and so on.
//
// A service may read a key when the declaration of its setting can be reached from what the server starts for that
// service. Declarations are followed by name: a function reaches what it mentions, a type its methods. So a reader may
// be one too many (who never asks for it loses nothing), never one too few.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module, server = "go.temporal.io/server/", "cmd/server"

var (
	services = []string{"frontend", "history", "matching", "worker"}
	// What the server calls to start each of them; and what only another service is started by.
	starts = map[string]string{
		"FrontendServiceProvider": "frontend", "HistoryServiceProvider": "history",
		"MatchingServiceProvider": "matching", "WorkerServiceProvider": "worker",
		"InternalFrontendServiceProvider": "",
	}
	setting = regexp.MustCompile(`^New(Global|Namespace|NamespaceID|TaskQueue|ShardID|TaskType|Destination|Chasm\w*?)` +
		`(Bool|Int|Float|Duration|String|Map|Typed)Setting(WithConverter|WithConstrainedDefault)?$`)
	units = map[string]string{
		"Millisecond": "ms", "Second": "s", "Minute": "m", "Hour": "h",
	}
)

type node struct{ folder, name string }

type graph struct {
	mentions map[node]map[node]bool
	calls    map[node]*ast.CallExpr // settings, by the variable that holds each
	imports  map[string]map[string]bool
}

func main() {
	g := read(os.Args[1])
	readers := map[node][]string{}
	for _, service := range services {
		for found := range g.reached(service) {
			readers[found] = append(readers[found], service)
		}
	}
	var lines []string
	for at, call := range g.calls {
		key, kind, value := described(call)
		scope := setting.FindStringSubmatch(called(call))[1]
		lines = append(lines, strings.Join([]string{key, kind, value, strings.Join(readers[at], ","), scope}, "\t"))
	}
	slices.Sort(lines)
	fmt.Println(strings.Join(lines, "\n"))
}

// read makes the graph of all declarations in the server's source, tests apart.
func read(root string) *graph {
	files, names := map[*ast.File]string{}, map[string]string{} // file -> folder -> name of its package
	set := token.NewFileSet()
	must(filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		must(err)
		folder, err := filepath.Rel(root, filepath.Dir(path))
		files[file], names[folder] = folder, file.Name.Name
		return err
	}))
	g := &graph{map[node]map[node]bool{}, map[node]*ast.CallExpr{}, map[string]map[string]bool{}}
	for file, folder := range files {
		for _, one := range declarations(file) {
			g.mentions[node{folder, one.name}] = map[node]bool{}
		}
	}
	for file, folder := range files {
		imports := g.imported(folder, file, names)
		for _, one := range declarations(file) {
			g.follow(node{folder, one.name}, one.content, imports)
			if call := settingOf(one.content); call != nil {
				g.calls[node{folder, one.name}] = call
			}
		}
	}
	return g
}

// imported returns folder by name of the server's packages that a file imports.
func (g *graph) imported(folder string, file *ast.File, names map[string]string) map[string]string {
	found := map[string]string{}
	if g.imports[folder] == nil {
		g.imports[folder] = map[string]bool{}
	}
	for _, one := range file.Imports {
		path, err := strconv.Unquote(one.Path.Value)
		must(err)
		if other, ours := strings.CutPrefix(path, module); ours {
			name := names[other]
			if one.Name != nil {
				name = one.Name.Name
			}
			found[name] = other
			g.imports[folder][other] = true
		}
	}
	return found
}

type declaration struct {
	name    string
	content ast.Node
}

// declarations returns what a file declares; a method by the name of its type.
func declarations(file *ast.File) (found []declaration) {
	for _, one := range file.Decls {
		switch one := one.(type) {
		case *ast.FuncDecl:
			name := one.Name.Name
			if one.Recv != nil {
				name = receiver(one.Recv.List[0].Type)
			}
			found = append(found, declaration{name, one})
		case *ast.GenDecl:
			for _, spec := range one.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					found = append(found, declaration{spec.Name.Name, spec})
				case *ast.ValueSpec:
					for i, name := range spec.Names {
						content := ast.Node(spec)
						if len(spec.Values) == len(spec.Names) {
							content = spec.Values[i]
						}
						found = append(found, declaration{name.Name, content})
					}
				}
			}
		}
	}
	return found
}

func receiver(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return receiver(of.X)
	case *ast.IndexExpr:
		return receiver(of.X)
	case *ast.IndexListExpr:
		return receiver(of.X)
	}
	return of.(*ast.Ident).Name
}

// follow notes which declarations are mentioned. What stands behind a dot is a method or a field: its type has it.
func (g *graph) follow(from node, content ast.Node, imports map[string]string) {
	ast.Inspect(content, func(one ast.Node) bool {
		switch one := one.(type) {
		case *ast.SelectorExpr:
			if name, plain := one.X.(*ast.Ident); plain && imports[name.Name] != "" {
				g.mentions[from][node{imports[name.Name], one.Sel.Name}] = true
			} else {
				g.follow(from, one.X, imports)
			}
			return false
		case *ast.KeyValueExpr:
			if _, plain := one.Key.(*ast.Ident); plain { // a field
				g.follow(from, one.Value, imports)
				return false
			}
		case *ast.Ident:
			if other := (node{from.folder, one.Name}); g.mentions[other] != nil {
				g.mentions[from][other] = true
			}
		}
		return true
	})
}

// reached returns all that is reached from the start of the server when it has one service to start. The packages' own
// beginnings (init) run whatever is started.
func (g *graph) reached(service string) map[node]bool {
	seen, next := map[node]bool{}, []node{{server, "main"}}
	for folder := range g.linked() {
		next = append(next, node{folder, "init"})
	}
	for len(next) > 0 {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		started, isStart := starts[at.name]
		if seen[at] || at.name == "_" || isStart && at.folder == "temporal" && started != service {
			continue
		}
		seen[at] = true
		for other := range g.mentions[at] {
			next = append(next, other)
		}
	}
	return seen
}

// linked returns the folders of the packages that are part of the server.
func (g *graph) linked() map[string]bool {
	seen, next := map[string]bool{}, []string{server}
	for len(next) > 0 {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[at] {
			seen[at] = true
			for other := range g.imports[at] {
				next = append(next, other)
			}
		}
	}
	return seen
}

// settingOf returns the call that makes a setting, if that is what an expression is.
func settingOf(content ast.Node) *ast.CallExpr {
	call, isCall := content.(*ast.CallExpr)
	if !isCall || setting.FindString(called(call)) == "" || len(call.Args) < 2 {
		return nil
	}
	if literal, plain := call.Args[0].(*ast.BasicLit); !plain || literal.Kind != token.STRING {
		panic("a key that is no plain text: " + called(call))
	}
	return call
}

func called(call *ast.CallExpr) string {
	at := call.Fun
	for {
		switch one := at.(type) {
		case *ast.IndexExpr:
			at = one.X
		case *ast.IndexListExpr:
			at = one.X
		case *ast.SelectorExpr:
			return one.Sel.Name
		case *ast.Ident:
			return one.Name
		default:
			return ""
		}
	}
}

// described returns key, type and default. What may change gradually takes a plain value, too.
func described(call *ast.CallExpr) (key, kind, value string) {
	key, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
	must(err)
	found := setting.FindStringSubmatch(called(call))
	kind = strings.ToLower(found[2])
	if found[3] == "WithConstrainedDefault" {
		return key, kind, ""
	}
	if change, isCall := call.Args[1].(*ast.CallExpr); isCall && called(change) == "ConvertGradualChange" {
		kind, value = plain(change.Args[0])
		return key, "gradual-" + kind, value
	}
	if found[3] == "WithConverter" && takesText(call.Args[1]) {
		return key, "string", ""
	}
	if kind == "typed" || kind == "map" {
		return key, kind, ""
	}
	_, value = plain(call.Args[1])
	return key, kind, value
}

// takesText says whether a converter begins with text: `in.(string)`.
func takesText(converter ast.Expr) (found bool) {
	if written, here := converter.(*ast.FuncLit); here {
		ast.Inspect(written.Body, func(one ast.Node) bool {
			if assertion, is := one.(*ast.TypeAssertExpr); is {
				name, plain := assertion.Type.(*ast.Ident)
				found = found || plain && name.Name == "string"
			}
			return true
		})
	}
	return found
}

// plain returns the type and text of a value; "typed" and nothing when it is more than a number, a duration or text.
func plain(of ast.Expr) (kind, text string) {
	switch of := of.(type) {
	case *ast.Ident:
		if of.Name == "true" || of.Name == "false" {
			return "bool", of.Name
		}
	case *ast.BasicLit:
		switch of.Kind {
		case token.INT:
			return "int", strings.ReplaceAll(of.Value, "_", "")
		case token.FLOAT:
			return "float", of.Value
		case token.STRING:
			text, err := strconv.Unquote(of.Value)
			must(err)
			return "string", text
		}
	case *ast.SelectorExpr:
		if name, isName := of.X.(*ast.Ident); isName && name.Name == "time" && units[of.Sel.Name] != "" {
			return "duration", "1" + units[of.Sel.Name]
		}
	case *ast.BinaryExpr:
		return product(of)
	}
	return "typed", ""
}

func product(of *ast.BinaryExpr) (kind, text string) {
	left, one := plain(of.X)
	right, two := plain(of.Y)
	if of.Op != token.MUL {
		return "typed", ""
	}
	if left == "duration" {
		left, right, one, two = right, left, two, one
	}
	number, err := strconv.Atoi(one)
	if left != "int" || err != nil {
		return "typed", ""
	}
	if right == "duration" {
		unit := strings.TrimLeft(two, "0123456789")
		count, err := strconv.Atoi(strings.TrimSuffix(two, unit))
		must(err)
		return "duration", strconv.Itoa(number*count) + unit
	}
	other, err := strconv.Atoi(two)
	if right != "int" || err != nil {
		return "typed", ""
	}
	return "int", strconv.Itoa(number * other)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
