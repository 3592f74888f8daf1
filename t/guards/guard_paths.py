"""No path of somebody's own machine is in the project."""
import re
import tree

# after what cannot be a longer path or a URL: a home, a folder at the top that is not Debian's, a scratch copy
OWN = re.compile(r"(?<![\w.:/}$*\])-])/(?:(?:home|root|work|workspace|Users)/[\w.]|tmp/httpd\b)")

problems, checked = [], 0
for path in tree.paths():
    text = tree.read(path)
    checked += 1
    problems += [f"{path}:{tree.line_of(text, m.start())}: {text[m.start():].split()[0]}: a path of one machine"
                 for m in OWN.finditer(text)]

tree.finish("paths", problems, f"{checked} files without a path of one machine" if checked else "")
