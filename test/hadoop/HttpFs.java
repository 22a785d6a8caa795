import java.lang.reflect.Constructor;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.http.server.HttpFSServerWebServer;
import org.apache.hadoop.security.ssl.SSLFactory;

/**
 * The gateway of Hadoop in this JVM, of which it can have one: its folder holds httpfs-site.xml, and the core-site.xml and
 * hdfs-site.xml of the file system that it stands for.
 */
final class HttpFs {
  private HttpFSServerWebServer running;

  /** Starts it anew with what this folder holds by now. Answers its port. */
  String start(Path folder) throws Exception {
    stop();
    for (String kind : new String[] {"home", "config", "log", "temp"}) {
      System.setProperty("httpfs." + kind + ".dir", folder.toString());
    }
    Configuration conf = new Configuration();
    conf.addResource(new org.apache.hadoop.fs.Path(folder.resolve("httpfs-site.xml").toUri()));
    Configuration ssl = SSLFactory.readSSLConfiguration(conf, SSLFactory.Mode.SERVER);
    // Its own program makes it so; nobody else may.
    Constructor<HttpFSServerWebServer> make =
        HttpFSServerWebServer.class.getDeclaredConstructor(
            Configuration.class, Configuration.class);
    make.setAccessible(true);
    running = make.newInstance(conf, ssl);
    running.start();
    return String.valueOf(running.getUrl().getPort());
  }

  String stop() throws Exception {
    if (running != null) running.stop();
    running = null;
    return "";
  }
}
