#!/usr/bin/env python3
"""Makes the golden stores of this folder with real Chroma servers; scripts/chroma-stores.sh calls it.

make.py real OUT PORT [--unpurged] COMMAND...   a store that a server writes; {data} and {port} in COMMAND are filled in
make.py old FROM OUT                            the store FROM in the form that Chroma 0.4 gave it: blobs, topics, a pickled class
make.py pack STORE OUT.tar.gz                   packs a store, the same bytes each time
"""
import gzip, io, json, math, os, pickle, random, shutil, signal, sqlite3, struct, subprocess, sys, tarfile, time, types, urllib.request

API = "/api/v2/tenants/{}/databases/{}/collections"


class Server:
    def __init__(self, data, port, command):
        self.base = f"http://127.0.0.1:{port}"
        command = [a.replace("{data}", data).replace("{port}", port) for a in command]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.call("GET", "/api/v2/heartbeat")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("no server")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Collection:
    def __init__(self, server, name, dimension, space="cosine", sync=50, tenant="default_tenant", database="default_database"):
        self.server, self.dimension, self.random = server, dimension, random.Random(name)
        self.path = API.format(tenant, database)
        body = {"name": name, "configuration": {"hnsw": {"space": space, "sync_threshold": sync, "batch_size": 10}}}
        made = server.call("POST", self.path, body)
        self.id = made["id"]
        self.name = name

    def vectors(self, n):
        return [[self.random.gauss(0, 1) for _ in range(self.dimension)] for _ in range(n)]

    def post(self, verb, **body):
        self.server.call("POST", f"{self.path}/{self.id}/{verb}", body)

    def add(self, first, n, verb="add"):
        ids = [f"{self.name}-{i:04d}" for i in range(first, first + n)]
        self.post(verb, ids=ids, embeddings=self.vectors(n), documents=[f"Document {i} of {self.name}: remember the {i * 7919 % 1000} things" for i in ids_numbers(ids)],
                  metadatas=[{"number": i, "kind": "odd" if i % 2 else "even", "weight": i / 8, "kept": i % 3 == 0} for i in ids_numbers(ids)])

    def delete(self, first, n):
        self.post("delete", ids=[f"{self.name}-{i:04d}" for i in range(first, first + n)])

    def settle(self):
        """Makes the server read its queue, and so write the index where it is due."""
        self.post("query", query_embeddings=self.vectors(1), n_results=3)


def ids_numbers(ids):
    return [int(i.rsplit("-", 1)[1]) for i in ids]


def real(out, port, command):
    unpurged = command[0] == "--unpurged"
    command = command[unpurged:]
    shutil.rmtree(out, ignore_errors=True)
    server = Server(out, port, command)
    if unpurged:
        server.kill()
        with sqlite3.connect(out + "/chroma.sqlite3") as db:
            db.execute("delete from embeddings_queue_config")
            db.execute("insert into embeddings_queue_config values (1, ?)", ('{"automatically_purge":false,"_type":"EmbeddingsQueueConfigurationInternal"}',))
        db.close()
        server = Server(out, port, command)
    notes = Collection(server, "notes", 8)
    for first in range(0, 120, 20):
        notes.add(first, 20)
        notes.settle()
    notes.add(30, 10, "update")
    notes.delete(40, 12)
    notes.settle()
    notes.add(45, 2)
    notes.add(119, 3, "upsert")
    notes.settle()
    words = Collection(server, "words", 4, "l2")
    words.add(0, 60)
    words.settle()
    if unpurged:
        litter = Collection(server, "litter", 4)
        litter.add(0, 3)
        litter.settle()
        server.call("DELETE", f"{litter.path}/litter")
        return stop(server, out)
    Collection(server, "fresh", 4)
    small = Collection(server, "small", 4, "ip", 1000)
    small.add(0, 5)
    small.settle()
    emptied = Collection(server, "emptied", 4)
    emptied.add(0, 50)
    emptied.settle()
    emptied.delete(0, 50)
    emptied.settle()
    server.call("POST", "/api/v2/tenants", {"name": "team"})
    server.call("POST", "/api/v2/tenants/team/databases", {"name": "archive"})
    far = Collection(server, "notes", 4, tenant="team", database="archive")
    far.add(0, 3)
    far.settle()
    stop(server, out)


def stop(server, out):
    time.sleep(1)
    server.kill()
    for folder in os.scandir(out):
        if folder.is_dir():
            clean(folder.path)


def clean(folder):
    """Zeroes what lies behind the last element: it is whatever the server's memory held."""
    with open(folder + "/header.bin", "rb") as f:
        count, size = struct.unpack_from("<QQ", f.read(), 20)
    for name, used in (("data_level0.bin", count * size), ("length.bin", count * 4)):
        with open(f"{folder}/{name}", "r+b") as f:
            end = f.seek(0, 2)
            f.seek(used)
            f.write(bytes(max(0, end - used)))


class PersistentData:
    pass


def old(source, out):
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    parts = "chromadb.segment.impl.vector.local_persistent_hnsw".split(".")
    for i in range(len(parts)):
        module = types.ModuleType(".".join(parts[: i + 1]))
        sys.modules[module.__name__] = module
    PersistentData.__module__ = module.__name__
    module.PersistentData = PersistentData
    new = sqlite3.connect(f"file:{source}/chroma.sqlite3?mode=ro&immutable=1", uri=True)
    db = sqlite3.connect(out + "/chroma.sqlite3")
    schema(new, db)
    topic = lambda collection: "persistent://default/default/" + collection
    blob = lambda n: struct.pack(">Q", n if isinstance(n, int) else int.from_bytes(n, "big"))
    db.execute("delete from databases")
    db.execute("delete from tenants")
    copy(new, db, "select id from tenants", "insert into tenants values (?)")
    copy(new, db, "select id, name, tenant_id from databases", "insert into databases values (?,?,?)")
    for id, name, dimension, database, config in new.execute("select id, name, dimension, database_id, coalesce(schema_str, config_json_str) from collections"):
        db.execute("insert into collections (id, name, topic, dimension, database_id) values (?,?,?,?,?)", (id, name, topic(id), dimension, database))
        space = "l2" if name == "words" else "ip" if name == "small" else "cosine"
        db.execute("insert into collection_metadata (collection_id, key, str_value) values (?, 'hnsw:space', ?)", (id, space))
        db.execute("insert into collection_metadata (collection_id, key, int_value) values (?, 'hnsw:sync_threshold', 50)", (id,))
    for id, kind, scope, collection in new.execute("select id, type, scope, collection from segments"):
        db.execute("insert into segments (id, type, scope, topic, collection) values (?,?,?,?,?)", (id, kind, scope, topic(collection), collection))
    for row in new.execute("select id, segment_id, embedding_id, seq_id, created_at from embeddings"):
        db.execute("insert into embeddings values (?,?,?,?,?)", row[:3] + (blob(row[3]),) + row[4:])
    copy(new, db, "select id, key, string_value, int_value, float_value, bool_value from embedding_metadata", "insert into embedding_metadata (id, key, string_value, int_value, float_value, bool_value) values (?,?,?,?,?,?)")
    copy(new, db, "select rowid, string_value from embedding_fulltext_search", "insert into embedding_fulltext_search (rowid, string_value) values (?,?)")
    for row in new.execute("select seq_id, created_at, operation, topic, id, vector, encoding, metadata from embeddings_queue"):
        collection = row[3].rsplit("/", 1)[1]
        db.execute("insert into embeddings_queue values (?,?,?,?,?,?,?,?)", row[:3] + (topic(collection),) + row[4:])
    vector = {}
    for segment, seq, scope in new.execute("select segment_id, seq_id, scope from max_seq_id join segments on id = segment_id"):
        if scope == "METADATA":
            db.execute("insert into max_seq_id values (?,?)", (segment, blob(seq)))
        else:
            vector[segment] = seq
    db.commit()
    db.close()
    for folder in os.scandir(source):
        if folder.is_dir():
            shutil.copytree(folder.path, f"{out}/{folder.name}")
            pickled(f"{out}/{folder.name}", vector.get(folder.name))


def copy(new, db, select, insert):
    db.executemany(insert, new.execute(select))


def schema(new, db):
    """Makes the tables of Chroma 0.4.24 with the migrations of that time, as the newer store keeps them."""
    db.execute("create table migrations (dir TEXT NOT NULL, version INTEGER NOT NULL, filename TEXT NOT NULL, sql TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (dir, version))")
    last = {"embeddings_queue": 1, "sysdb": 4, "metadb": 3}
    for dir, version, filename, sql, hash in new.execute("select dir, version, filename, sql, hash from migrations order by dir, version"):
        if version <= last[dir]:
            db.executescript(sql)
            db.execute("insert into migrations values (?,?,?,?,?)", (dir, version, filename, sql, hash))


def pickled(folder, sequence):
    path = folder + "/index_metadata.pickle"
    if not os.path.exists(path):
        return
    with open(folder + "/header.bin", "rb") as f:
        label, data_offset = struct.unpack_from("<QQ", f.read(), 36)
    with open(path, "rb") as f:
        data = pickle.load(f)
    one = PersistentData()
    one.__dict__ = data
    one.dimensionality = (label - data_offset) // 4
    data["max_seq_id"] = sequence
    data["label_to_id"] = {label: id for id, label in data["id_to_label"].items()}
    data["id_to_seq_id"] = {id: label for id, label in data["id_to_label"].items()}
    with open(path, "wb") as f:
        pickle.dump(one, f, pickle.HIGHEST_PROTOCOL)


def pack(store, out):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder, folders, files in os.walk(store):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                info = tarfile.TarInfo(os.path.relpath(path, store))
                info.size, info.mode = os.path.getsize(path), 0o644
                with open(path, "rb") as f:
                    tar.addfile(info, f)
    with open(out, "wb") as f:
        f.write(gzip.compress(raw.getvalue(), 9, mtime=0))


def main(verb, *args):
    if verb == "real":
        real(args[0], args[1], list(args[2:]))
    elif verb == "old":
        old(*args)
    elif verb == "pack":
        pack(*args)
    else:
        raise SystemExit(__doc__)


main(*sys.argv[1:])
