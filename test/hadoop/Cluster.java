import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Properties;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.crypto.key.KeyProvider;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsShell;
import org.apache.hadoop.fs.Options.ChecksumOpt;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.hdfs.client.CreateEncryptionZoneFlag;
import org.apache.hadoop.hdfs.client.HdfsAdmin;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.DataChecksum;

/**
 * An HDFS of real name nodes and data nodes in one JVM, told what to do over HTTP: a request is one command, its
 * words separated by NUL.
 *
 * <p>Cluster PROPERTIES: `waybill.*` in the file are our own, everything else is Hadoop configuration.
 * `waybill.ha` is a name service with two name nodes, the first one active.
 */
public final class Cluster {
  private final Configuration conf = new Configuration();
  private final MiniDFSCluster hdfs;
  private final Deque<MiniDFSCluster.DataNodeProperties> stopped = new ArrayDeque<>();
  private final HttpFs gateway = new HttpFs();

  private Cluster(Properties wanted) throws IOException {
    for (String name : wanted.stringPropertyNames()) {
      if (!name.startsWith("waybill.")) conf.set(name, wanted.getProperty(name));
    }
    UserGroupInformation.setConfiguration(conf);
    String principal = wanted.getProperty("waybill.principal");
    if (principal != null) {
      UserGroupInformation.loginUserFromKeytab(principal, wanted.getProperty("waybill.keytab"));
    }
    boolean isHa = wanted.containsKey("waybill.ha");
    MiniDFSCluster.Builder builder =
        new MiniDFSCluster.Builder(conf, Path.of(wanted.getProperty("waybill.dir")).toFile())
            .numDataNodes(Integer.parseInt(wanted.getProperty("waybill.dataNodes")));
    if (isHa) {
      var service = new MiniDFSNNTopology.NSConf(wanted.getProperty("waybill.ha"));
      service.addNN(new MiniDFSNNTopology.NNConf("nn1"));
      service.addNN(new MiniDFSNNTopology.NNConf("nn2"));
      builder.nnTopology(new MiniDFSNNTopology().addNameservice(service));
    }
    hdfs = builder.build();
    if (isHa) hdfs.transitionToActive(0);
    hdfs.waitActive();
  }

  private String run(List<String> words) throws Exception {
    List<String> rest = words.subList(1, words.size());
    switch (words.get(0)) {
      case "status":
        return status();
      case "fs":
        return shell(rest.get(0), rest.subList(1, rest.size()));
      case "create":
        return create(rest);
      case "active":
        hdfs.transitionToActive(Integer.parseInt(rest.get(0)));
        return "";
      case "standby":
        hdfs.transitionToStandby(Integer.parseInt(rest.get(0)));
        return "";
      case "stop-namenode":
        hdfs.shutdownNameNode(Integer.parseInt(rest.get(0)));
        return "";
      case "start-namenode":
        hdfs.restartNameNode(Integer.parseInt(rest.get(0)), false);
        return "";
      case "stop-datanode":
        stopped.push(hdfs.stopDataNode(Integer.parseInt(rest.get(0))));
        return "";
      case "start-datanode":
        hdfs.restartDataNode(stopped.pop(), true);
        hdfs.waitActive();
        return "";
      case "start-httpfs":
        return gateway.start(Path.of(rest.get(0)));
      case "stop-httpfs":
        return gateway.stop();
      case "erasure-code":
        return erasureCode(rest.get(0), rest.get(1));
      case "encrypt":
        return encrypt(rest.get(0));
      default:
        throw new IllegalArgumentException(words.get(0) + ": no such command");
    }
  }

  private String status() {
    List<String> names = new ArrayList<>();
    for (int index = 0; index < hdfs.getNumNameNodes(); index++) {
      Configuration of = hdfs.getConfiguration(index);
      names.add(
          object(
              "rpc", hdfs.getNameNodePort(index),
              "http", portOf(hdfs.getNameNode(index).getHttpAddress()),
              "https", portOf(hdfs.getNameNode(index).getHttpsAddress())));
    }
    List<String> data = new ArrayList<>();
    for (DataNode node : hdfs.getDataNodes()) {
      data.add(
          object("http", node.getInfoPort(), "https", node.getInfoSecurePort(), "ipc", node.getIpcPort()));
    }
    return "{\"nameNodes\":" + names + ",\"dataNodes\":" + data + "}";
  }

  private static int portOf(InetSocketAddress address) {
    return address == null ? 0 : address.getPort();
  }

  private static String object(Object... pairs) {
    StringBuilder text = new StringBuilder("{");
    for (int at = 0; at < pairs.length; at += 2) {
      text.append(at == 0 ? "\"" : ",\"").append(pairs[at]).append("\":").append(pairs[at + 1]);
    }
    return text.append('}').toString();
  }

  /** A file system of the active name node, as its user or as another. */
  private <T> T as(String user, PrivilegedExceptionAction<T> action) throws Exception {
    UserGroupInformation own = UserGroupInformation.getLoginUser();
    if (user.isEmpty()) return own.doAs(action);
    return UserGroupInformation.createRemoteUser(user).doAs(action);
  }

  private Configuration clientConf() {
    Configuration client = new Configuration(hdfs.getConfiguration(active()));
    client.set("fs.defaultFS", "hdfs://127.0.0.1:" + hdfs.getNameNodePort(active()));
    return client;
  }

  private int active() {
    for (int index = 0; index < hdfs.getNumNameNodes(); index++) {
      if (hdfs.getNameNode(index) != null && hdfs.getNameNode(index).isActiveState()) return index;
    }
    throw new IllegalStateException("no name node is active");
  }

  /** What `hdfs dfs WORDS` does. */
  private String shell(String user, List<String> words) throws Exception {
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    PrintStream out = System.out;
    PrintStream err = System.err;
    try (PrintStream into = new PrintStream(said, true, StandardCharsets.UTF_8)) {
      System.setOut(into);
      System.setErr(into);
      FsShell shell = new FsShell(clientConf());
      int code = as(user, () -> shell.run(words.toArray(new String[0])));
      if (code != 0) throw new IOException("hdfs dfs " + words + ": exit code " + code + "\n" + said);
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
    return said.toString(StandardCharsets.UTF_8);
  }

  /** create PATH BLOCK_BYTES CHECKSUM_BYTES CRC32|CRC32C LOCAL_FILE */
  private String create(List<String> words) throws Exception {
    var path = new org.apache.hadoop.fs.Path(words.get(0));
    long block = Long.parseLong(words.get(1));
    var sum =
        new ChecksumOpt(DataChecksum.Type.valueOf(words.get(3)), Integer.parseInt(words.get(2)));
    try (FileSystem files = FileSystem.newInstance(clientConf())) {
      files.mkdirs(path.getParent());
      var flags = EnumSet.of(CreateFlag.CREATE, CreateFlag.OVERWRITE);
      try (OutputStream to =
          files.create(
              path, FsPermission.getFileDefault(), flags, 65536, (short) 1, block, null, sum)) {
        Files.copy(Path.of(words.get(4)), to);
      }
    }
    return "";
  }

  /** Of the files that are made in a folder from now on, a policy of Hadoop such as XOR-2-1-1024k. */
  private String erasureCode(String folder, String policy) throws Exception {
    DistributedFileSystem files = hdfs.getFileSystem(active());
    var path = new org.apache.hadoop.fs.Path(folder);
    files.mkdirs(path);
    files.enableErasureCodingPolicy(policy);
    files.setErasureCodingPolicy(path, policy);
    return "";
  }

  /** Makes a folder an encryption zone with a key of its own. Needs `hadoop.security.key.provider.path`. */
  private String encrypt(String folder) throws Exception {
    var path = new org.apache.hadoop.fs.Path(folder);
    hdfs.getFileSystem(active()).mkdirs(path);
    KeyProvider keys = hdfs.getNameNode(active()).getNamesystem().getProvider();
    String key = "key" + folder.replace('/', '-');
    keys.createKey(key, KeyProvider.options(conf));
    keys.flush();
    new HdfsAdmin(hdfs.getURI(active()), clientConf())
        .createEncryptionZone(path, key, EnumSet.of(CreateEncryptionZoneFlag.NO_TRASH));
    return "";
  }

  private void answer(HttpExchange asked) throws IOException {
    String text = new String(asked.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    String said;
    int status = 200;
    try {
      synchronized (this) {
        said = run(Arrays.asList(text.split("\0", -1)));
      }
    } catch (Throwable error) {
      status = 500;
      said = error.toString();
      error.printStackTrace();
    }
    byte[] bytes = said.getBytes(StandardCharsets.UTF_8);
    asked.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    try (OutputStream body = asked.getResponseBody()) {
      body.write(bytes);
    }
  }

  public static void main(String[] args) throws Exception {
    Properties wanted = new Properties();
    try (var reader = Files.newBufferedReader(Path.of(args[0]))) {
      wanted.load(reader);
    }
    Cluster cluster = new Cluster(wanted);
    int port = Integer.parseInt(wanted.getProperty("waybill.port"));
    var address = new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port);
    HttpServer control = HttpServer.create(address, 0);
    control.createContext("/", cluster::answer);
    control.start();
  }
}
