# Ant: compile, JUnit in a JVM of its own, jar and zip, with tasks in parallel.
set -e
mkdir -p src/p test/p
i=0
while [ $i -lt 8 ]; do
	echo "package p; public class C$i { public static int f(int n) { return n * $i; } }" >src/p/C$i.java
	i=$((i + 1))
done
echo 'package p; public class Main { public static void main(String[] a) { System.out.println("built by ant " + (C3.f(7) + C7.f(3))); } }' >src/p/Main.java
cat >test/p/MainTest.java <<'JAVA'
package p;
public class MainTest {
    @org.junit.Test public void multiplies() { org.junit.Assert.assertEquals(21, C3.f(7)); }
}
JAVA
cat >build.xml <<'XML'
<project default="all">
  <path id="tests"><pathelement path="classes:classes-test:/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar"/></path>
  <target name="all">
    <tstamp/>
    <echo>today ${TODAY} ${TSTAMP}</echo>
    <mkdir dir="classes"/><mkdir dir="classes-test"/>
    <javac srcdir="src" destdir="classes" includeantruntime="false"/>
    <javac srcdir="test" destdir="classes-test" includeantruntime="false" classpathref="tests"/>
    <parallel threadCount="3">
      <jar destfile="app.jar" basedir="classes"><manifest><attribute name="Main-Class" value="p.Main"/><attribute name="Built" value="${TODAY} ${TSTAMP}"/></manifest></jar>
      <zip destfile="src.zip" basedir="src"/>
      <java classname="org.junit.runner.JUnitCore" fork="true" failonerror="true" classpathref="tests"><arg value="p.MainTest"/></java>
      <exec executable="sh"><arg value="-c"/><arg value="echo from a child $$$$"/></exec>
    </parallel>
    <checksum file="app.jar" algorithm="SHA-256"/>
  </target>
</project>
XML
ant -noinput
java -jar app.jar
jar --list --verbose --file app.jar
sha256sum app.jar src.zip
