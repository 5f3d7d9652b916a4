(* System threads, processes, garbage, hash tables *)
let () =
  let m = Mutex.create () and c = Condition.create () in
  let n = ref 0 and order = ref [] and turn = ref 0 in
  let ts = List.init 10 (fun i -> Thread.create (fun () ->
    for _ = 1 to 100 do Mutex.lock m; incr n; Mutex.unlock m; Thread.yield () done;
    Mutex.lock m;
    while !turn <> i do Condition.wait c m done;
    order := i :: !order; incr turn; Condition.broadcast c;
    Mutex.unlock m) ()) in
  List.iter Thread.join ts;
  Printf.printf "threads %d %s\n" !n (String.concat " " (List.map string_of_int !order));
  let done_ = ref [] in
  let ts = List.init 4 (fun i -> Thread.create (fun () ->
    let x = ref 0 and keep = ref [] in
    for j = 1 to 300_000 do x := (!x * 31 + j) mod 1_000_003; if j mod 100 = 0 then keep := j :: !keep done;
    Mutex.lock m; done_ := (i, !x, List.length !keep) :: !done_; Mutex.unlock m) ()) in
  List.iter Thread.join ts;
  List.iter (fun (i, x, k) -> Printf.printf "compute %d %d %d\n" i x k) !done_;
  flush stdout;
  let pids = List.init 3 (fun i -> match Unix.fork () with 0 -> Unix._exit i | p -> p) in
  List.iter (fun p -> match Unix.waitpid [] p with
    | q, Unix.WEXITED s -> Printf.printf "child %d %d\n" q s | _ -> print_endline "?") pids;
  Random.self_init ();
  let h = Hashtbl.create ~random:true 10 in
  List.iter (fun s -> Hashtbl.add h s ()) ["a"; "b"; "c"; "d"; "e"];
  Hashtbl.iter (fun k () -> print_string k) h;
  Printf.printf " random %d time %f\n" (Random.bits ()) (Unix.gettimeofday ());
  Thread.delay 0.01;
  Gc.full_major ();
  Printf.printf "gc %d\n" (Gc.stat ()).Gc.live_words
