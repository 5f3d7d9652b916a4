# Maven offline: a project is read and validated. Its plugins are not installed,
# so the jar itself is made in javac.
set -e
mkdir -p src/main/java/p
echo 'package p; public class Main { public static void main(String[] a) { System.out.println("built by maven"); } }' >src/main/java/p/Main.java
cat >pom.xml <<'EOF'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>p</groupId><artifactId>p</artifactId><version>1</version>
</project>
EOF
mvn -v
mvn -B -o -Dmaven.repo.local="$PWD/repo" validate
