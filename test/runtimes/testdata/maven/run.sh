# Maven offline, with the plugins that Debian installs: resources, compiler,
# surefire with JUnit, jar, install. Each package has its time in its jar.
set -e
mkdir -p lib/src/main/java/p lib/src/test/java/p lib/src/main/resources app/src/main/java/q
echo 'built by ${project.artifactId} at ${maven.build.timestamp}' >lib/src/main/resources/built.txt
cat >lib/src/main/java/p/Lib.java <<'JAVA'
package p;
import java.io.*;
import java.nio.charset.StandardCharsets;

public class Lib {
    public static String built() throws IOException {
        try (InputStream in = Lib.class.getResourceAsStream("/built.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
        }
    }
}
JAVA
cat >lib/src/test/java/p/LibTest.java <<'JAVA'
package p;
import org.junit.Test;
import static org.junit.Assert.*;

public class LibTest {
    @Test public void says() throws Exception { assertTrue(Lib.built().startsWith("built by lib")); }
    @Test public void waits() throws Exception { Thread.sleep(100); }
}
JAVA
echo 'package q; public class Main { public static void main(String[] a) throws Exception { System.out.println(p.Lib.built()); } }' >app/src/main/java/q/Main.java
project() {
	cat <<XML
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>example</groupId><artifactId>all</artifactId><version>1</version></parent>
  <artifactId>$1</artifactId>
  $2
</project>
XML
}
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId><artifactId>all</artifactId><version>1</version><packaging>pom</packaging>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <modules><module>app</module><module>lib</module></modules>
</project>
XML
project lib '<dependencies><dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.x</version><scope>test</scope></dependency></dependencies>
  <build><resources><resource><directory>src/main/resources</directory><filtering>true</filtering></resource></resources></build>' >lib/pom.xml
project app '<dependencies><dependency><groupId>example</groupId><artifactId>lib</artifactId><version>1</version></dependency></dependencies>' >app/pom.xml
mvn -B -o -T 2 -Dmaven.repo.local=/usr/share/maven-repo package
java -cp app/target/app-1.jar:lib/target/lib-1.jar q.Main
jar --list --verbose --file lib/target/lib-1.jar
sha256sum app/target/app-1.jar lib/target/lib-1.jar
