# A small project with a local dependency, offline: install, scripts, pack.
set -e
mkdir -p dep app && cd dep
printf '{"name":"dep","version":"1.0.0","main":"index.js"}\n' >package.json
echo 'module.exports = n => n * 2' >index.js
npm pack --silent
cd ../app
cat >package.json <<'EOF'
{
  "name": "app", "version": "1.0.0", "dependencies": {"dep": "file:../dep/dep-1.0.0.tgz"},
  "scripts": {"test": "node test.js", "build": "node -p 'require(\"dep\")(21)'"}
}
EOF
echo 'require("assert").equal(require("dep")(21), 42); console.log("ok")' >test.js
npm install --offline --no-audit --no-fund
npm test
npm run build
npm pack --silent
sha256sum ./*.tgz package-lock.json
